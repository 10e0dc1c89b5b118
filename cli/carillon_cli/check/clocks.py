"""Clocks: message ids, leases and deadlines compare the times of several machines."""

from carillon_cli.check.findings import Finding, bad, good, warn

SKEW_S = 2.0
MUCH_SKEW_S = 30.0


def compare_clock(
    area: str, whose: str, theirs_s: float, asked_s: float, answered_s: float, *, known_to_s: float
) -> Finding:
    """Their clock against this machine's, at some moment between question and answer.

    `theirs_s` was cut to a whole `known_to_s`: it may be that much later. Skew is what neither explains.
    """
    if theirs_s + known_to_s < asked_s:
        skew_s = theirs_s + known_to_s - asked_s
    elif theirs_s > answered_s:
        skew_s = theirs_s - answered_s
    else:
        skew_s = 0.0
    what = f"clock of {whose}"
    says = f"{skew_s:+.1f} s from this machine's" if skew_s else "agrees with this machine's"
    do = "let NTP keep the clocks of all machines (chronyc tracking, timedatectl)"
    if abs(skew_s) > MUCH_SKEW_S:
        return bad(area, what, says, do)
    return warn(area, what, says, do) if abs(skew_s) > SKEW_S else good(area, what, says)
