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


def test_objects_of_cursor_sim_are_a_setting(configure: Configure) -> None:
    configure()
    assert ExtractConfig.from_env().objects == ()
    configure(MILLRACE_OBJECTS=" commits, commits ")
    assert wiring.origin_of(ExtractConfig.from_env()).objects == ("commits",)
    configure(MILLRACE_OBJECTS="reviews")
    with pytest.raises(ConfigError, match=r"MILLRACE_OBJECTS: expected commits or pull_requests, or both.*'reviews'"):
        ExtractConfig.from_env()


GITHUB = {"MILLRACE_SOURCE": "github", "MILLRACE_ACCOUNT": "Acme-Data", "MILLRACE_SOURCE_URL": ""}


def test_a_github_needs_only_its_account_and_a_token(configure: Configure, tmp_path: Path) -> None:
    configure(MILLRACE_LAKE=tmp_path.as_uri(), **GITHUB)
    extract = ExtractConfig.from_env()
    assert (extract.source, extract.account, extract.source_url) == ("github", "acme-data", "https://api.github.com")
    assert (extract.repositories, extract.first_days, extract.titles, extract.bodies) == ((), 90, True, False)
    assert wiring.origin_of(extract).account == "acme-data"
    assert wiring.extractor_of(extract).account == "acme-data"
    assert wiring.audited_client(extract) is None
    assert extract.source_key not in f"{extract!r} {wiring.extractor_of(extract)!r}"


def test_what_is_read_of_an_account_is_a_setting(configure: Configure) -> None:
    names = {"REPOSITORIES": " shop, web ,", "FIRST_DAYS": "30", "TITLES": "off", "BODIES": "on"}
    configure(**GITHUB, **{f"MILLRACE_{name}": value for name, value in names.items()})
    extract = ExtractConfig.from_env()
    assert (extract.repositories, extract.first_days, extract.titles, extract.bodies) == (
        ("shop", "web"),
        30,
        False,
        True,
    )


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        pytest.param({"MILLRACE_SOURCE": "gitlab"}, "MILLRACE_SOURCE: expected cursor-sim or github", id="source"),
        pytest.param({"MILLRACE_ACCOUNT": ""}, "MILLRACE_ACCOUNT is not set", id="no account"),
        pytest.param({"MILLRACE_ACCOUNT": "acme/shop"}, "MILLRACE_ACCOUNT: expected the name", id="a repository"),
        pytest.param({"MILLRACE_ACCOUNT": "-acme"}, "MILLRACE_ACCOUNT: expected the name", id="a hyphen first"),
        pytest.param({"MILLRACE_ACCOUNT": "a" * 40}, "MILLRACE_ACCOUNT: expected the name", id="too long"),
        pytest.param({"MILLRACE_SOURCE_KEY": ""}, "MILLRACE_SOURCE_KEY is not set", id="no token"),
        pytest.param({"MILLRACE_GITHUB_APP_ID": "7"}, "expected both, for the source github", id="an id alone"),
        pytest.param(
            {"MILLRACE_GITHUB_APP_ID": "7", "MILLRACE_GITHUB_APP_KEY": "pem"}, "without MILLRACE_SOURCE_KEY", id="both"
        ),
        pytest.param({"MILLRACE_REPOSITORIES": "shop;web"}, "MILLRACE_REPOSITORIES: expected names", id="semicolon"),
        pytest.param({"MILLRACE_REPOSITORIES": "../x"}, "MILLRACE_REPOSITORIES: expected names", id="a path"),
        pytest.param({"MILLRACE_OBJECTS": "commits"}, "MILLRACE_OBJECTS: GitHub is read as a whole", id="objects"),
        pytest.param({"MILLRACE_FIRST_DAYS": "0"}, "MILLRACE_FIRST_DAYS: expected a number", id="no day"),
        pytest.param({"MILLRACE_FIRST_DAYS": "1e9"}, "MILLRACE_FIRST_DAYS: expected a number", id="days before year 1"),
        pytest.param({"MILLRACE_TITLES": "perhaps"}, "MILLRACE_TITLES: expected on or off", id="titles"),
        pytest.param({"MILLRACE_BODIES": "perhaps"}, "MILLRACE_BODIES: expected 1 or 0", id="bodies"),
        pytest.param({"MILLRACE_SOURCE_URL": "http://github.example"}, "over plain http", id="plain http"),
    ],
)
def test_a_wrong_setting_of_an_account_is_named(configure: Configure, changed: dict[str, str], said: str) -> None:
    configure(**GITHUB | changed)
    with pytest.raises(ConfigError, match=said):
        ExtractConfig.from_env()


def test_an_app_takes_the_place_of_a_token(configure: Configure) -> None:
    app = {"MILLRACE_SOURCE_KEY": "", "MILLRACE_GITHUB_APP_ID": "7", "MILLRACE_GITHUB_APP_KEY": "the-pem"}
    configure(**GITHUB | app)
    extract = ExtractConfig.from_env()
    assert (extract.app_id, extract.app_key, extract.source_key) == ("7", "the-pem", "")
    assert "the-pem" not in repr(extract)


def test_a_child_process_gets_no_key_of_a_source(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(MILLRACE_GITHUB_APP_KEY="the-pem")
    for name in ("GITHUB_TOKEN", "GH_TOKEN"):
        monkeypatch.setenv(name, "the-token")
    child = config.environment_of_child({"MORE": "1"})
    assert {"the-secret-key", "the-pem", "the-token"} & set(child.values()) == set()
    assert child["MORE"] == "1"
