"""A second tail is started on the same lake: by hand beside the service, or by cron before the last run has ended.

Two that commit to one lake would count everything twice. logagg locks the lake: the second is refused and says by whom.
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
