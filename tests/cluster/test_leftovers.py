"""Taking away what an engine left behind touches nothing of anyone else's."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from modelyard_cluster import engine, leftovers
from modelyard_cluster.cache import state_folder
from modelyard_cluster.shell import CommandFailed

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Folders and cgroups of the test's own, so that no engine of this machine can be hit."""
    monkeypatch.setenv("MODELYARD_STATE", str(tmp_path / "state"))
    state_folder()
    monkeypatch.setattr(leftovers, "_CGROUPS", tmp_path / "no-cgroups")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start `tail --follow FILE` under the name of another program."""
    started: list[subprocess.Popen[bytes]] = []

    def start_(name: str, file: Path) -> subprocess.Popen[bytes]:
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        shutil.copy2(Path(shutil.which("tail") or "tail").resolve(), program)
        started.append(subprocess.Popen([program, "--follow", file], stdout=subprocess.DEVNULL))
        return started[-1]

    yield start_
    for process in started:
        process.kill()
        process.wait()


def test_a_daemon_below_our_folder_is_killed_and_a_pager_on_its_log_is_not(start: Start, tmp_path: Path) -> None:
    ours = tmp_path / "state" / "engine"
    daemon = start("dockerd", ours / "dockerd.log")
    pager = start("less", ours / "dockerd.log")
    elsewhere = start("containerd", tmp_path / "backup" / str(ours).lstrip("/") / "containerd.toml")
    assert leftovers._daemons_below([ours]) == {daemon.pid}
    leftovers.end_processes([ours])
    assert daemon.wait(5) == -9
    assert pager.poll() is None
    assert elsewhere.poll() is None


class Network:
    """Bridges and packet filter rules that `ip` and `iptables` show and change, in place of this machine's."""

    def __init__(self, links: Path) -> None:
        self._links = links
        self.gone: set[str] = set()
        self.rules = {"nat": ["-P POSTROUTING ACCEPT"], "filter": ["-P FORWARD DROP"], "raw": []}

    @property
    def bridges(self) -> set[str]:
        return {link.name for link in self._links.iterdir()}

    def add(self, bridge: str, chain: str, subnet: str) -> None:
        """What an engine makes for a network."""
        (self._links / bridge).mkdir(parents=True)
        self.rules["nat"] += [f"-N {chain}", f"-A {chain} -i {bridge} -j RETURN", f"-A POSTROUTING -s {subnet} -j RET"]

    def run(self, *command: str, env: object = None) -> str:
        match command:
            case ("ip", "-json", "address", "show"):
                address = {"local": "172.18.0.1", "family": "inet"}
                names = [*self.bridges, *self.gone]
                return json.dumps([{"ifname": name, "addr_info": [address]} for name in names])
            case ("ip", "link", "delete", name):
                if name in self.gone:
                    raise CommandFailed(f'Cannot find device "{name}"')
                (self._links / name).rmdir()
            case ("iptables", "-S", "FORWARD"):
                return self.rules["filter"][0]
            case ("iptables", "-t", table, "-S"):
                return "\n".join(self.rules[table])
            case ("iptables", "-t", table, "-D", *rule):
                self.rules[table].remove(" ".join(["-A", *rule]))
            case ("iptables", "-t", table, "-X", chain):
                self.rules[table].remove(f"-N {chain}")
            case ("iptables", "-P", "FORWARD", policy):
                self.rules["filter"][0] = f"-P FORWARD {policy}"
            case _:
                raise AssertionError(command)
        return ""


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Network:
    fake = Network(tmp_path / "net")
    monkeypatch.setattr(leftovers, "_LINKS", tmp_path / "net")
    monkeypatch.setattr(leftovers, "_SYSCTLS", ())
    monkeypatch.setattr(leftovers, "_MADE_BY_DOCKERD", ())
    monkeypatch.setattr(leftovers, "run", fake.run)
    fake.add("docker0", "DOCKER", "172.17.0.0/16")
    return fake


def test_the_network_of_an_engine_that_was_stopped_when_ours_started_stays(network: Network, tmp_path: Path) -> None:
    before = {table: list(rules) for table, rules in network.rules.items()}
    leftovers.remember(tmp_path / "before.json", {})
    network.add("br-0123456789ab", "DOCKER-ISOLATION-STAGE-1", "172.18.0.0/16")
    network.rules["filter"][0] = "-P FORWARD ACCEPT"
    leftovers.restore(tmp_path / "before.json", {})
    assert network.bridges == {"docker0"}
    assert network.rules == before


def test_an_interface_that_goes_by_itself_meanwhile_is_no_failure(network: Network, tmp_path: Path) -> None:
    """A pod's end of a pair goes when the kernel takes its namespace down: between listing and deleting, once."""
    leftovers.remember(tmp_path / "before.json", {})
    network.add("br-0123456789ab", "DOCKER-ISOLATION-STAGE-1", "172.18.0.0/16")
    network.gone = {"br-ba9876543210"}
    leftovers.restore(tmp_path / "before.json", {})
    assert network.bridges == {"docker0"}


@pytest.mark.usefixtures("network")
def test_what_dockerd_makes_outside_of_its_folders_goes_but_for_what_was_there_before_or_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    key, plugins, shims = tmp_path / "etc" / "key.json", tmp_path / "run" / "plugins", tmp_path / "shims"
    shims.mkdir()
    made = [str(path) for path in (key, key.parent, plugins, plugins.parent, shims)]
    monkeypatch.setattr(leftovers, "_MADE_BY_DOCKERD", made)
    leftovers.remember(tmp_path / "before.json", {})
    for folder in (key.parent, plugins):
        folder.mkdir(parents=True)
    key.touch()
    (plugins.parent / "somebody.sock").touch()
    leftovers.restore(tmp_path / "before.json", {})
    assert not key.parent.exists()
    assert [path.name for path in plugins.parent.iterdir()] == ["somebody.sock"]
    assert shims.exists()


@pytest.mark.parametrize(("answering", "left"), [(None, set()), ("unix:///var/run/docker.sock", {"docker0"})])
def test_network_and_run_folders_are_left_alone_while_another_engine_answers(
    answering: str | None, left: set[str], network: Network, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder, made = state_folder() / "engine", tmp_path / "run"
    folder.mkdir()
    made.mkdir()
    before = {"sysctls": {}, "forward": "ACCEPT", "absent": [str(made)]}
    (folder / "before.json").write_text(json.dumps(before))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{folder}/docker.sock")
    monkeypatch.setattr(engine, "_answers", lambda environment: environment.get("DOCKER_HOST") == answering)
    monkeypatch.setattr(engine, "_daemon_environment", dict)
    monkeypatch.setattr(leftovers, "unmount_below", list)
    monkeypatch.setattr(leftovers, "end_processes", list)
    engine._clean()
    assert network.bridges == left
    assert made.exists() is (answering is not None)
    assert not (folder / "before.json").exists()
