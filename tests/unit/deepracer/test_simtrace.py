"""Simulator steps of every version, as logs and files have them."""

from __future__ import annotations

import pytest

from fleet.workloads.deepracer.simtrace import Step, episodes_of, step_of, steps_of_csv, steps_of_log

OLD = "SIM_TRACE_LOG:0,0,3.0512,0.6829,-0.0040,0.52,2.50,8,1.0000,False,True,0.7992,0,17.67,1555730996.3144288"
MIDDLE = "SIM_TRACE_LOG:7,2,0.6159,0.4621,131.5697,10.00,2.00,3,54.0000,False,True,0.4210,0,33.28,34.108,in_progress,0.00"
TODAY = (
    "[download_params_and_roslaunch_agent_node-1] [agent-9] SIM_TRACE_LOG:0,1,0.2078,-2.1730,179.9865,15.00,1.50,8,0.0000,"
    "False,True,0.2333,0,60.00,36.721000000000004,prepare,0.00,2,1772822267.7927"
)


def one(line: str) -> Step:
    (found,) = steps_of_log([line])
    return found


def test_2019_is_in_radians_and_unix_time_and_says_no_status() -> None:
    step = one(OLD)
    assert (step.episode, step.number, step.action, step.reward, step.progress) == (0, 0, 8, 1.0, 0.7992)
    assert step.heading == pytest.approx(-0.229, abs=0.001)
    assert step.steering == pytest.approx(29.79, abs=0.01)
    assert (step.at, step.wall, step.status, step.crashes) == (1555730996.3144288, 1555730996.3144288, None, None)


def test_2022_is_in_degrees_and_simulator_time() -> None:
    step = one(MIDDLE)
    assert (step.heading, step.steering, step.speed, step.at) == (131.5697, 10.0, 2.0, 34.108)
    assert (step.status, step.wall, step.crashes, step.on_track, step.done) == ("in_progress", None, None, True, False)


def test_2026_has_a_prefix_obstacles_and_the_wall_clock() -> None:
    step = one(TODAY)
    assert (step.at, step.wall, step.crashes, step.status) == (36.721000000000004, 1772822267.7927, 2, "prepare")


@pytest.mark.parametrize("action", ["[-21.59   3.45]", "[-21.59, 3.45]", '"[-21.59, 3.45]"', "[-2.159e+01  3.45e+00]"])
@pytest.mark.parametrize("line", [MIDDLE, TODAY])
def test_a_continuous_action_is_one_field_with_spaces_and_with_a_comma(action: str, line: str) -> None:
    head, tail = line.rsplit(",3," if line is MIDDLE else ",8,", 1)
    step = one(f"{head},{action},{tail}")
    known = one(line)
    assert step.action is None
    assert (step.reward, step.progress, step.status, step.at) == (known.reward, known.progress, known.status, known.at)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\x1b[0m", "  "])
@pytest.mark.parametrize("begin", ["", "\x1b[33m", "simulator-1  | ", "10:02:11 "])
def test_colours_prefixes_and_ends_of_lines_do_not_matter(begin: str, end: str) -> None:
    for line in (OLD, MIDDLE, TODAY):
        assert one(begin + line + end) == one(line)


def test_a_line_that_is_cut_off_within_what_every_version_has_is_left_out() -> None:
    for line in (OLD, MIDDLE, TODAY):
        whole = line.index("SIM_TRACE_LOG:") + len(",".join(line.partition("SIM_TRACE_LOG:")[2].split(",")[:14]))
        assert not [length for length in range(whole) if list(steps_of_log([line[:length]]))]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a,b",
        "nan,1,0,0,0,0,0,0,0,False,True,0,0,1,1",
        "1,1,x,0,0,0,0,0,0,False,True,0,0,1,1",
        "1,1,0,0,0,0,0,0,0,Maybe,True,0,0,1,1",
        "1e999,1,0,0,0,0,0,0,0,False,True,0,0,1,1",
    ],
)
def test_what_is_no_row_is_none(text: str) -> None:
    assert step_of(text) is None


def test_a_file_of_today_has_the_same_rows_and_a_header() -> None:
    header = "episode,steps,X,Y,yaw,steer,throttle,action,reward,done,all_wheels_on_track,progress,closest_waypoint"
    text = f"""{header},track_len,tstamp,episode_status,pause_duration
0,1.0,3.1999,0.6831,0.184,20.0,1.0,10,0.0,False,True,0.79,1,17.709,27.788,prepare,0.0
0,2.0,3.1998,0.6831,0.185,-10.0,2.0,5,1.5,True,True,0.81,1,17.709,27.864,off_track,0.0
1,1.0,3.1999,0.6831,0.184,20.0,1.0,10,2.0,False,True,0.79,1,17.709,28.0,prepare,0.0
"""
    steps = list(steps_of_csv(text.splitlines()))
    assert [(step.episode, step.number, step.reward) for step in steps] == [(0, 1, 0.0), (0, 2, 1.5), (1, 1, 2.0)]
    first, second = episodes_of(steps)
    assert (first.steps, first.reward, first.progress, first.status) == (2, 1.5, 0.81, "off_track")
    assert first.seconds == pytest.approx(0.076)
    assert (second.episode, second.steps) == (1, 1)


def test_an_episode_whose_number_comes_again_is_another_one() -> None:
    """An evaluation counts from 0, too; and 2019's log begins with an episode 0 that was broken off."""
    steps = [step for number in (0, 1, 0, 1, 2) for step in steps_of_log([OLD.replace(":0,0,", f":0,{number},")])]
    assert [one.steps for one in episodes_of(steps)] == [2, 3]


def test_nothing_is_no_episode() -> None:
    assert episodes_of([]) == []
