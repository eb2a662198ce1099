"""A second tail is started on the same lake: by hand while the service runs, or by cron before the last run has ended.

Two tails that commit to one lake would count every line twice. logagg locks the lake: the second tail is refused, and names the first.
"""

from tests.accidents.conftest import Site


def test_the_second_is_refused(site: Site) -> None:
    log = site.log()
    log.write(50)
    site.start()
    site.expect()
    assert site.process
    done = site.logagg.run("tail", "--once", site.folder, status=1)
    assert f"process {site.process.pid} writes this lake" in done.stderr
    log.write(5)
    site.expect()
