"""The tail is restarted, again and again.

Filebeat #36541, #40056, GoAccess #2630: the whole file is sent again. logagg resumes at the committed position.
"""

from tests.accidents.conftest import Site


def test_restarts_change_no_counts(site: Site) -> None:
    log = site.log()
    log.write(100)
    for restart in range(5):
        site.once()
        site.check()
        if restart % 3 == 0:
            log.write(1)
    site.once()
