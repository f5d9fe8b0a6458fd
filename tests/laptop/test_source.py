"""The source of a run: where each key is sent, and who can see it."""

from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from millrace.cli import main as cli
from millrace.errors import ConfigError
from millrace.laptop.data_dir import DataDir
from millrace.laptop.source import SourceOptions, source_settings

USERS = "key-of-the-user-for-another-server"
RECORDING = Path(__file__).parents[1] / "golden" / "captures" / "seed-2dev-90d-medium" / "full-exact.jsonl.gz"


def arguments_of_all_processes() -> str:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().decode(errors="replace"))
        except OSError:  # the process has ended
            continue
    return "\n".join(found)


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="the arguments of processes are in /proc on Linux")
@pytest.mark.parametrize(
    "source",
    [
        pytest.param(SourceOptions(developers=2, days=5), id="of a plain run"),
        pytest.param(SourceOptions(developers=2, days=5, limiter=False), id="without a limiter"),
        pytest.param(SourceOptions(from_recording=RECORDING), id="of a recording"),
    ],
)
def test_embedded_simulator_uses_private_key_hidden_from_process_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: SourceOptions
) -> None:
    monkeypatch.setenv("MILLRACE_SOURCE_KEY", USERS)
    with ExitStack() as stack:
        given = source_settings(source, DataDir(tmp_path), stack, lambda line: None)
        url, key = given["MILLRACE_SOURCE_URL"], given["MILLRACE_SOURCE_KEY"]
        shown = arguments_of_all_processes()
        assert ("simulator" in shown, key in shown, USERS in shown, key == USERS) == (True, False, False, False)
        asked = [requests.get(f"{url}/repos", auth=(each, ""), timeout=600).status_code for each in (key, USERS)]
    assert asked == [200, 401]


def test_each_run_has_another_key(tmp_path: Path) -> None:
    keys = set()
    for _ in range(2):
        with ExitStack() as stack:
            source = SourceOptions(developers=2, days=5)
            keys.add(source_settings(source, DataDir(tmp_path), stack, lambda line: None)["MILLRACE_SOURCE_KEY"])
    assert len(keys) == 2


def test_a_source_that_is_refused_leaves_the_data_directory_unbound(tmp_path: Path) -> None:
    source = SourceOptions(source_url="http://source.example")
    with ExitStack() as stack, pytest.raises(ConfigError, match="--insecure-http"):
        source_settings(source, DataDir(tmp_path), stack, lambda line: None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", ["run", "reconcile"])
def test_plain_http_to_another_machine_exits_2(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MILLRACE_SOURCE_KEY", USERS)  # the verb sets these two for the functions that it serves
    monkeypatch.setenv("MILLRACE_SOURCE_URL", "")
    (tmp_path / "lake").mkdir()
    given = [verb, "--data-dir", str(tmp_path), "--source-url", "http://0.0.0.0:9"]
    assert cli.main(given) == 2
    said = capsys.readouterr().err
    assert ("--insecure-http" in said, "MILLRACE_INSECURE_HTTP" in said, USERS in said) == (True, True, False)


def test_the_option_and_the_setting_allow_plain_http(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = SourceOptions(source_url="http://source.example", insecure_http=True)
    plain = SourceOptions(source_url="http://source.example")
    with ExitStack() as stack:
        by_option = source_settings(told, DataDir(tmp_path), stack, lambda line: None)
        monkeypatch.setenv("MILLRACE_INSECURE_HTTP", "1")
        by_setting = source_settings(plain, DataDir(tmp_path), stack, lambda line: None)
    assert by_option == by_setting
    assert by_option["MILLRACE_INSECURE_HTTP"] == "1"
