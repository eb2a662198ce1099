"""Where visitors come from: referrers, tagged links and click ids -> channel, source and medium."""
