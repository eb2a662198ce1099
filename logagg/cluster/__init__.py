"""The same river over gearmand: tailers here, shard workers elsewhere, one lake."""
