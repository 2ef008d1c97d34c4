"""Port 22: closed, but for one address for a while; and where machines and their callers are."""

from __future__ import annotations

import http.server
import ipaddress
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.model.cloud import AccessRule
from fleet.model.errors import ErrorClass, FleetError, ProviderError
from fleet.model.setup import AwsRegion, AwsSetup
from fleet.providers import addresses
from fleet.providers.addresses import Address, caller_address
from fleet.providers.aws import access
from fleet.providers.aws import addresses as aws_addresses
from fleet.providers.aws.access import Door, close, listed, opened
from fleet.providers.aws.addresses import machine_address
from fleet.providers.aws.policies import controller_policy
from fleet.providers.aws.provider import AwsProvider
from fleet.providers.aws.rules import own_rules
from fleet.providers.aws.session import aws_client
from fleet.providers.doors import OPEN_SECONDS, WIDEST, narrow
from fleet.providers.let_in import description, forgotten
from tests.aws.account import ACCOUNT
from tests.aws.evaluator import decide
from tests.aws.moto import Moto
from tests.aws.recorded import Recorder, requests_of

REGION = "us-east-1"
ME = "198.51.100.7/32"
NOW = 1_764_000_000.0


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def setup(moto: Moto) -> AwsSetup:
    ec2 = aws_client("ec2", REGION)
    tags = [{"ResourceType": "security-group", "Tags": [{"Key": "fleet", "Value": "f1"}]}]
    group = ec2.create_security_group(GroupName="fleet", Description="no inbound", TagSpecifications=tags)["GroupId"]
    region = AwsRegion(region=REGION, security_group=group, launch_template="lt-1", template_version="1")
    fields: dict[str, Any] = {"account": "1", "bucket": "b", "bucket_region": REGION, "instance_profile": "p", "made_at": 0}
    return AwsSetup(fleet_id="f1", regions={REGION: region}, **fields)


def inbound(setup: AwsSetup) -> list[dict[str, Any]]:
    group = {"Name": "group-id", "Values": [setup.regions[REGION].security_group]}
    told = aws_client("ec2", REGION).describe_security_group_rules(Filters=[group])["SecurityGroupRules"]
    return [rule for rule in told if not rule["IsEgress"]]


def cidrs(setup: AwsSetup) -> list[str]:
    return [rule.get("CidrIpv4") or rule["CidrIpv6"] for rule in inbound(setup)]


@pytest.mark.parametrize("cidr", [ME, "2001:db8::7/128"])
def test_port_22_is_open_for_one_address_meanwhile_and_says_until_when(setup: AwsSetup, clock: Clock, cidr: str) -> None:
    with opened(setup, REGION, cidr, clock):
        [rule] = inbound(setup)
        assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == ("tcp", 22, 22)
        assert rule["Description"] == f"fleet:f1 until {int(NOW + OPEN_SECONDS)}"
        assert rule["Tags"] == [{"Key": "fleet", "Value": "f1"}]
        assert cidrs(setup) == [cidr]
    assert inbound(setup) == []


def test_it_is_closed_also_after_a_failure(setup: AwsSetup, clock: Clock) -> None:
    with pytest.raises(KeyboardInterrupt), opened(setup, REGION, ME, clock):
        raise KeyboardInterrupt
    assert inbound(setup) == []


def test_the_last_of_several_terminals_closes_it(setup: AwsSetup, clock: Clock) -> None:
    """Also if both opened it in the same second."""
    for first_leaves_first in (True, False):
        first, second = (Door(setup, REGION, ME, clock) for _ in range(2))
        first.open()
        second.open()
        assert len(inbound(setup)) == 1
        leaving = [first, second] if first_leaves_first else [second, first]
        leaving[0].close()
        assert len(inbound(setup)) == first_leaves_first
        leaving[0].close()  # once more does nothing
        first.open()  # who is still there opens it again
        first.close()
        second.close()
        assert inbound(setup) == []


def test_addresses_have_rules_of_their_own(setup: AwsSetup, clock: Clock) -> None:
    with opened(setup, REGION, ME, clock):
        with opened(setup, REGION, "198.51.100.8/32", clock):
            assert sorted(cidrs(setup)) == [ME, "198.51.100.8/32"]
        assert cidrs(setup) == [ME]


def test_a_rule_is_renewed_while_somebody_is_connected(setup: AwsSetup, clock: Clock) -> None:
    with opened(setup, REGION, ME, clock, renew_every=0.02):
        clock.now += 3000
        deadline = time.monotonic() + 10
        while [rule.until for rule in listed(setup, REGION)] != [int(clock.now + OPEN_SECONDS)]:
            assert time.monotonic() < deadline, inbound(setup)
            clock.now += 1
            time.sleep(0.02)
    assert inbound(setup) == []


def test_a_rule_that_was_closed_by_others_comes_back_with_the_next_renewal(setup: AwsSetup, clock: Clock) -> None:
    door = Door(setup, REGION, ME, clock)
    door.open()
    [rule] = listed(setup, REGION)
    close(rule)
    close(rule)  # it is closed: that is what was wanted
    door.open()
    assert cidrs(setup) == [ME]
    door.close()
    assert inbound(setup) == []


def test_every_call_is_within_a_controllers_policy(setup: AwsSetup, clock: Clock) -> None:
    recorder = Recorder()
    first, second = (Door(setup, REGION, ME, clock) for _ in range(2))
    first.open()
    second.open()
    first.close()
    second.close()
    policy = controller_policy(ACCOUNT, "aws", "b", "f1")
    assert [call.operation for call in recorder.changes] == [
        "AuthorizeSecurityGroupIngress",
        "UpdateSecurityGroupRuleDescriptionsIngress",
        "RevokeSecurityGroupIngress",
    ]
    for call in recorder.calls:
        assert {decide(policy, request) for request in requests_of(call)} == {"allow"}, call


def test_a_rule_of_the_users_own_is_left_alone(setup: AwsSetup, clock: Clock) -> None:
    group = setup.regions[REGION].security_group
    own = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": ME, "Description": "my office"}]}
    aws_client("ec2", REGION).authorize_security_group_ingress(GroupId=group, IpPermissions=[own])
    with opened(setup, REGION, ME, clock):
        assert [rule["Description"] for rule in inbound(setup)] == ["my office"]
    assert [rule["Description"] for rule in inbound(setup)] == ["my office"]
    assert listed(setup, REGION) == []


def test_another_terminal_that_is_quicker_is_no_failure(
    setup: AwsSetup, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The listing does not show its rule yet; authorizing tells that there is one."""
    Door(setup, REGION, ME, clock).open()
    late, found = Door(setup, REGION, ME, clock), access.listed
    answers: Iterator[list[AccessRule]] = iter([[]])
    monkeypatch.setattr(access, "listed", lambda *a, **k: next(answers, None) or found(*a, **k))
    late.open()
    assert [rule.until for rule in listed(setup, REGION)] == [int(NOW + OPEN_SECONDS) + 1]
    late.close()
    assert inbound(setup) == []


def test_a_rule_that_is_not_listed_yet_is_closed_all_the_same(
    setup: AwsSetup, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = Door(setup, REGION, ME, clock)
    door.open()
    clock.now += OPEN_SECONDS / 2
    door.open()  # renewed: its time is another
    monkeypatch.setattr(access, "listed", lambda *_: [])
    door.close()
    assert inbound(setup) == []


def test_what_cannot_be_closed_is_told_and_will_be_collected(
    setup: AwsSetup, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def expired(*_: object, **__: object) -> None:
        raise ProviderError(ErrorClass.CREDENTIALS, "ExpiredToken", "the token has expired")

    with opened(setup, REGION, ME, clock):
        monkeypatch.setattr(access, "close", expired)
    assert "stays open for 198.51.100.7/32: the token has expired" in caplog.text
    rules = listed(setup, REGION)
    assert forgotten(rules, NOW + OPEN_SECONDS) == []
    assert forgotten(rules, NOW + OPEN_SECONDS + 1) == rules


def test_the_controller_closes_what_was_forgotten_and_nothing_else(setup: AwsSetup, clock: Clock, tmp_path: Path) -> None:
    Door(setup, REGION, ME, clock).open()
    theirs = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "203.0.113.9/32"}]}
    group = setup.regions[REGION].security_group
    aws_client("ec2", REGION).authorize_security_group_ingress(GroupId=group, IpPermissions=[theirs])
    provider = AwsProvider("f1", setup, tmp_path)
    [rule] = provider.access_rules(REGION)
    assert (rule.cidr, rule.until) == (ME, int(NOW + OPEN_SECONDS))
    provider.close_access(rule)
    provider.close_access(rule)
    assert cidrs(setup) == ["203.0.113.9/32"]
    assert not provider.access_rules(REGION)
    assert not provider.access_rules("eu-west-1")


def test_a_region_that_was_not_set_up_is_named(setup: AwsSetup, clock: Clock) -> None:
    with pytest.raises(FleetError, match="eu-west-1") as told, opened(setup, "eu-west-1", ME, clock):
        pass
    assert "--region eu-west-1" in told.value.hint


def test_only_fleets_own_rules_are_its_business() -> None:
    def rule(said: str, **more: Any) -> dict[str, Any]:
        return {
            "GroupId": "sg-1",
            "SecurityGroupRuleId": "sgr-1",
            "CidrIpv4": ME,
            "Description": said,
            "IsEgress": False,
            **more,
        }

    strangers = [
        rule("fleet:f2 until 5"),
        rule("my office"),
        rule("fleet:f1 until tomorrow"),
        rule("fleet:f1 until 5", IsEgress=True),
        rule("fleet:f1 until 5", CidrIpv4=None, ReferencedGroupInfo={"GroupId": "sg-2"}),
        {**rule(""), "Description": None},
    ]
    assert own_rules(REGION, strangers, "f1") == []
    mine = own_rules(REGION, [rule(description("f1", 5))], "f1")
    assert mine == [AccessRule(region=REGION, group_id="sg-1", rule_id="sgr-1", cidr=ME, fleet_id="f1", until=5)]
    assert (forgotten(mine, 5.0), forgotten(mine, 5.5)) == ([], mine)


@given(
    st.one_of(
        st.ip_addresses().map(str), st.text(max_size=40), st.builds("{}/{}".format, st.ip_addresses(), st.integers(0, 128))
    )
)
def test_no_text_ever_opens_the_port_for_everybody(text: str) -> None:
    try:
        network = ipaddress.ip_network(narrow(text))
    except FleetError:
        return
    assert network.prefixlen >= WIDEST[network.version] > 0


@pytest.mark.parametrize("text", ["0.0.0.0/0", "::/0", "0.0.0.0/1", "10.0.0.0/8", "2000::/3", "", "everybody", "1.2.3.4/33"])
def test_what_is_too_wide_or_no_address_is_refused(text: str) -> None:
    with pytest.raises(FleetError):
        narrow(text)


@pytest.mark.parametrize(
    ("text", "cidr"),
    [("203.0.113.7", "203.0.113.7/32"), ("203.0.113.7/24", "203.0.113.0/24"), (" 2001:DB8::1 ", "2001:db8::1/128")],
)
def test_an_address_is_let_in_alone(text: str, cidr: str) -> None:
    assert narrow(text) == cidr


def launched(**more: Any) -> str:
    ec2 = aws_client("ec2", REGION)
    told = ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1, InstanceType="c5.large", **more)
    return str(told["Instances"][0]["InstanceId"])


def test_a_machines_public_address_is_found(moto: Moto) -> None:
    instance = launched()
    told = aws_client("ec2", REGION).describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    assert machine_address(instance, REGION) == Address(told["PublicIpAddress"], public=True)


@pytest.mark.parametrize(
    ("told", "address"),
    [
        ({"PublicIpAddress": "203.0.113.9", "Ipv6Address": "2001:db8::9"}, Address("203.0.113.9", public=True)),
        ({"Ipv6Address": "2001:db8::9", "PrivateIpAddress": "10.0.0.9"}, Address("2001:db8::9", public=True)),
        ({"PrivateIpAddress": "10.0.0.9"}, Address("10.0.0.9", public=False)),
        ({"PrivateIpAddress": "10.0.0.9", "State": {"Name": "pending"}}, None),
        ({}, None),
    ],
)
def test_the_best_address_is_taken(told: dict[str, Any], address: Address | None, monkeypatch: pytest.MonkeyPatch) -> None:
    class Answers:
        def unless(self, *_: object, **__: object) -> dict[str, Any]:
            return {"Reservations": [{"Instances": [{"State": {"Name": "running"}, **told}]}]}

    monkeypatch.setattr(aws_addresses, "Calls", lambda **_: Answers())
    assert machine_address("i-1", REGION) == address


def test_a_machine_that_ec2_does_not_show_yet_is_waited_for(moto: Moto) -> None:
    assert machine_address("i-0123456789abcdef0", REGION) is None


def test_a_machine_that_has_ended_is_named_as_such(moto: Moto) -> None:
    instance = launched()
    aws_client("ec2", REGION).terminate_instances(InstanceIds=[instance])
    with pytest.raises(ProviderError, match=f"{instance} is terminated") as told:
        machine_address(instance, REGION)
    assert told.value.error_class is ErrorClass.NOT_YET


@pytest.fixture
def web() -> Iterator[str]:
    """Answers with the path that it was asked for; with `silence` not at all."""

    class Echo(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/silence":
                over.wait(20)
            self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n" + self.path[1:].encode() + b"\n")

        def log_message(self, *_: object) -> None:
            pass

    over = threading.Event()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        over.set()
        server.shutdown()


def test_the_callers_own_address_is_what_somebody_outside_sees(web: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "CHECK_URL", f"{web}/8.8.8.8")
    assert caller_address(Address("203.0.113.9", public=True)) == "8.8.8.8/32"


@pytest.mark.parametrize("said", ["0.0.0.0", "10.0.0.1", "127.0.0.1", "8.8.8.8/0", "::", "<html>", "8" * 1000, "silence"])
def test_an_answer_that_is_no_public_address_opens_nothing(said: str, web: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "CHECK_URL", f"{web}/{said}")
    monkeypatch.setattr(addresses, "CONNECT_SECONDS", 0.3)
    with pytest.raises(FleetError, match=r"your (own )?address") as told:
        caller_address(Address("203.0.113.9", public=True))
    assert "--from" in told.value.hint


def test_within_a_network_and_over_ipv6_it_is_where_the_way_begins() -> None:
    assert caller_address(Address("127.0.0.1", public=False)) == "127.0.0.1/32"
    assert caller_address(Address("::1", public=True)) == "::1/128"
