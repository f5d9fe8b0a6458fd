"""A setting that is missing or wrong is reported by its name, before anything starts, and never with the key."""

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from millrace import config, wiring
from millrace.config import BuildConfig, ExtractConfig, LoadConfig, StatusConfig
from millrace.errors import ConfigError

COMPLETE = {
    "MILLRACE_LAKE": "file:///data/lake",
    "MILLRACE_QUARANTINE": "file:///data/quarantine",
    "MILLRACE_BUS": "inprocess:",
    "MILLRACE_WAREHOUSE": "duckdb:///data/millrace.duckdb",
    "MILLRACE_JOB": "inprocess:",
    "MILLRACE_SOURCE_URL": "http://127.0.0.1:8080/",
    "MILLRACE_SOURCE_KEY": "the-secret-key",
    "MILLRACE_DBT_DIR": "/dbt",
    "MILLRACE_DBT_TARGET_DIR": "/target",
}
Configure = Callable[..., None]
READERS = (ExtractConfig.from_env, LoadConfig.from_env, BuildConfig.from_env)


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Configure:
    """Return a function that sets exactly the complete settings with these changes."""

    def configured(**changed: str) -> None:
        for name in re.findall(r"MILLRACE_[A-Z_]+", Path(config.__file__).read_text()):
            monkeypatch.delenv(name, raising=False)
        for name, value in (COMPLETE | changed).items():
            monkeypatch.setenv(name, value)

    return configured


def test_a_complete_environment_is_taken_with_the_defaults(configure: Configure) -> None:
    configure()
    extract = ExtractConfig.from_env()
    assert (extract.source_url, extract.requests_per_minute, extract.request_burst) == (
        "http://127.0.0.1:8080",
        100,
        95,
    )
    assert LoadConfig.from_env().memory == BuildConfig.from_env().memory == "200MB"


def test_a_build_waits_for_more_loads_on_cloud_run_only(configure: Configure) -> None:
    configure()
    assert BuildConfig.from_env().quiet_s == 0
    configure(CLOUD_RUN_JOB="dbt-runner")
    assert BuildConfig.from_env().quiet_s == 30


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("MILLRACE_LEASE_S", BuildConfig.from_env),
        ("MILLRACE_QUIET_S", BuildConfig.from_env),
        ("MILLRACE_REQUEST_BURST", ExtractConfig.from_env),
        ("MILLRACE_SYNCING_S", StatusConfig.from_env),
    ],
)
def test_a_setting_of_an_earlier_version_is_refused(
    configure: Configure, name: str, read: Callable[[], object]
) -> None:
    configure(**{name: "30"})
    with pytest.raises(ConfigError, match=f"{name} is no longer a setting"):
        read()


@pytest.mark.parametrize("name", COMPLETE)
def test_missing_setting_stops_every_reader_that_needs_it(configure: Configure, name: str) -> None:
    configure(**{name: ""})
    said = []
    for read in READERS:
        try:
            read()
        except ConfigError as error:
            said.append(str(error))
    assert said
    assert all(text.startswith(f"{name} is not set") for text in said)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("MILLRACE_TIMEOUT_S", "0", id="no time at all"),
        pytest.param("MILLRACE_TIMEOUT_S", "soon", id="no number"),
        pytest.param("MILLRACE_TIMEOUT_S", "inf", id="endless time"),
        pytest.param("MILLRACE_ANSWER_S", "0", id="no time for an answer"),
        pytest.param("MILLRACE_REQUESTS_PER_MINUTE", "-1", id="less than none"),
        pytest.param("MILLRACE_REQUESTS_PER_MINUTE", "nan", id="not a number"),
        pytest.param("MILLRACE_MEMORY", "much", id="no amount"),
        pytest.param("MILLRACE_MEMORY", "400", id="an amount without a unit"),
        pytest.param("MILLRACE_MEMORY", "1GB'; DROP TABLE x; --", id="SQL"),
        pytest.param("MILLRACE_SOURCE_URL", "ftp://host", id="another protocol"),
        pytest.param("MILLRACE_SOURCE_URL", "host:8080", id="no protocol"),
        pytest.param("MILLRACE_SOURCE_URL", "http://", id="no host"),
        pytest.param("MILLRACE_SOURCE_URL", "http://[::1", id="half an address"),
        pytest.param("MILLRACE_SOURCE_URL", "http://host:99999", id="no port"),
        pytest.param("MILLRACE_SOURCE_URL", "http://host:http", id="a port that is no number"),
        pytest.param("MILLRACE_SOURCE_URL", "http://the-secret-key@host", id="a user"),
        pytest.param("MILLRACE_SOURCE_URL", "http://:the-secret-key@host", id="a password alone"),
        pytest.param("MILLRACE_SOURCE_URL", "http://host?key=the-secret-key", id="a query"),
        pytest.param("MILLRACE_SOURCE_URL", "http://host#the-secret-key", id="a fragment"),
    ],
)
def test_a_wrong_setting_is_named_and_no_key_in_it_is_shown(configure: Configure, name: str, value: str) -> None:
    configure(**{name: value})
    with pytest.raises(ConfigError, match=f"^{name}") as caught:
        [read() for read in READERS]
    assert "the-secret-key" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://source.example", id="a name"),
        pytest.param("http://192.168.1.7:8080", id="the local network"),
        pytest.param("http://[2001:db8::1]:8080", id="IPv6"),
        pytest.param("http://169.254.169.254", id="the metadata server"),
        pytest.param("http://0.0.0.0:8080", id="every address"),
        pytest.param("http://localhost.evil.example", id="a name that begins like this machine's"),
        pytest.param("http://127.0.0.1.evil.example", id="a name that begins like this machine's address"),
        pytest.param("http://localhost.", id="a name that a resolver may ask others for"),
        pytest.param("http://2130706433", id="a decimal address"),
        pytest.param("http://0x7f000001", id="a hexadecimal address"),
        pytest.param("http://127.1", id="a short address"),
        pytest.param("http://0177.0.0.1", id="an octal address"),
        pytest.param("http://[::ffff:10.0.0.1]", id="IPv4 within IPv6"),
        pytest.param("http://\u24dbocalhost", id="a letter in a circle"),
    ],
)
def test_the_key_does_not_go_to_another_machine_over_plain_http(configure: Configure, url: str) -> None:
    configure(MILLRACE_SOURCE_URL=url)
    with pytest.raises(ConfigError, match=r"plain http.*--insecure-http or MILLRACE_INSECURE_HTTP=1$"):
        ExtractConfig.from_env()
    configure(MILLRACE_SOURCE_URL=url, MILLRACE_INSECURE_HTTP="1")
    assert ExtractConfig.from_env().source_url == url


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://127.0.0.1\\@evil.example", id="a backslash before a user"),
        pytest.param("http://127.0.0.1\\.evil.example", id="a backslash"),
        pytest.param("http://127.0.0.1@evil.example", id="this machine as the user"),
        pytest.param("http://localhost\t.evil.example", id="a tab"),
        pytest.param("http://local\nhost", id="a newline"),
        pytest.param("http://localhost evil.example", id="a blank"),
        pytest.param("http://127.0.0.1#@evil.example", id="this machine before a fragment"),
        pytest.param("https://source.example\x1b[2J", id="a terminal's command"),
    ],
)
def test_ambiguous_source_url_is_refused(configure: Configure, url: str) -> None:
    configure(MILLRACE_SOURCE_URL=url, MILLRACE_INSECURE_HTTP="1")
    with pytest.raises(ConfigError, match="expected http://host:port or https://host"):
        ExtractConfig.from_env()


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://127.0.0.1:8080", id="the usual address"),
        pytest.param("http://127.8.7.6", id="another of its addresses"),
        pytest.param("http://[::1]:8080", id="IPv6"),
        pytest.param("http://LOCALHOST:8080/api", id="its name"),
        pytest.param("https://source.example", id="another machine over https"),
    ],
)
def test_the_key_goes_to_this_machine_and_over_https(configure: Configure, url: str) -> None:
    configure(MILLRACE_SOURCE_URL=url)
    assert ExtractConfig.from_env().source_url == url


@pytest.mark.parametrize("value", ["maybe", "2", "disabled"])
def test_a_switch_that_is_neither_on_nor_off_is_refused(configure: Configure, value: str) -> None:
    configure(MILLRACE_INSECURE_HTTP=value)
    with pytest.raises(ConfigError, match="MILLRACE_INSECURE_HTTP: expected 1 or 0"):
        ExtractConfig.from_env()


@pytest.mark.parametrize("amount", ["400MB", "1.5GiB", "2 GB"])
def test_an_amount_of_memory_has_a_unit(configure: Configure, amount: str) -> None:
    configure(MILLRACE_MEMORY=amount)
    assert LoadConfig.from_env().memory == amount


def test_a_rate_of_zero_is_unpaced(configure: Configure, tmp_path: Path) -> None:
    configure(MILLRACE_REQUESTS_PER_MINUTE="0", MILLRACE_LAKE=tmp_path.as_uri())
    client = wiring.audited_client(ExtractConfig.from_env())
    assert client is not None
    assert client.budget.take() == 0


@pytest.mark.parametrize(
    "url", ["s3://bucket", "file:relative", "file://host/path", "/path", "", "duckdb:///x"], ids=repr
)
def test_a_lake_of_another_form_is_refused_with_the_form_that_was_expected(url: str) -> None:
    with pytest.raises(ConfigError, match="expected file:///an/absolute/path"):
        wiring.lake_at(url)


@pytest.mark.parametrize("url", ["gs:", "gs://", "gs://bucket/folder", "gs://Bucket", "gs:///b"])
def test_a_bucket_is_named_without_a_folder(url: str) -> None:
    with pytest.raises(ConfigError, match="expected gs://BUCKET"):
        wiring.lake_at(url)


def test_same_setting_returns_same_lake(tmp_path: Path) -> None:
    assert wiring.lake_at(tmp_path.as_uri()) is wiring.lake_at(tmp_path.as_uri())


def test_concurrent_threads_get_the_same_adapter() -> None:
    made: list[str] = []

    @wiring.ThreadSafeCache
    def slow(url: str) -> int:
        time.sleep(0.05)
        made.append(url)
        return len(made)

    with ThreadPoolExecutor(8) as threads:
        got = list(threads.map(slow, ["duckdb:///x"] * 8))
    assert (got, made) == ([1] * 8, ["duckdb:///x"])


def test_a_folder_with_a_space_and_an_umlaut_is_a_lake(tmp_path: Path) -> None:
    folder = tmp_path / "mein Süß% lake"
    wiring.lake_at(folder.as_uri()).write("a", b"", 0)
    assert (folder / "a").exists()


@pytest.mark.parametrize("adapter", [wiring.bus_at, wiring.job_at])
def test_unknown_inprocess_address_is_refused(adapter: Callable[[str], object]) -> None:
    with pytest.raises(ConfigError, match="expected inprocess:"):
        adapter("inprocess:other")


@pytest.mark.parametrize(
    "url",
    [
        "pubsub:",
        "pubsub://project",
        "pubsub:///projects/",
        "pubsub:///projects/p/topics/t",
        "pubsub:///projects/p?prefix=",
        "pubsub:///projects/p?prefix=Dev-",
        "pubsub:///projects/p?suffix=dev-",
    ],
)
def test_a_bus_names_a_project_and_no_topic(url: str) -> None:
    with pytest.raises(ConfigError, match="expected pubsub:///projects/P"):
        wiring.bus_at(url)
