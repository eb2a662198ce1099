"""A tail over gearmand: tailers send jobs, shard workers on other machines roll them up, into one lake."""
