"""One walk over a real data directory, through every state of health and back."""

from tests.status.conftest import World

from millrace.collect import lock


def test_health_goes_through_every_state_and_back_to_live(world: World) -> None:
    first = world.look()
    assert (first.health, first.reasons, first.store) == ("live", (), "warehouse")
    assert (first.lag_events, first.lag_rows, first.lag_seconds) == (0, 0, 0.0)

    world.use(7)
    came = world.look(2)
    assert (came.health, came.lag_events, came.lag_rows) == ("syncing", 7, 0)
    assert 2 <= (came.lag_seconds or 0) < 10
    assert [mart.name for mart in came.marts if not mart.is_current and mart.rows is not None] == [
        *(mart.name for mart in came.marts if mart.name.startswith("usage_")),
        *("ai_spend_by_repo_week", "cost_per_merged_pr", "project_repositories", "user_developers"),
    ]
    world.refresh()
    assert (world.look(2).health, world.look().lag_events) == ("live", 0)

    with lock.holding(world.place.collector):
        world.use(150)
        full = world.look(30)
        assert (full.health, full.lag_events, full.watcher.running) == ("stale", 150, True)
        assert "150 usage events wait for the marts" in full.reasons[0]
    alone = world.look(30)
    assert (alone.health, alone.watcher.running) == ("error", False)
    assert alone.checks[0].code == "events_waiting_no_collector"
    assert "no collector runs; type: millrace collect" in alone.reasons[0]
    world.refresh()
    assert world.look(30).health == "live"

    world.commit(2)
    assert (world.look(1).health, world.look(1).lag_rows) == ("syncing", 2)
    assert (world.look(7200).health, world.look(7200).lag_rows) == ("stale", 2)
    world.fail_a_build()
    failed = world.look(7200)
    assert (failed.health, failed.builds[0].result) == ("error", "failed")
    assert [check.code for check in failed.checks][:2] == ["build_failed", "rows_waiting"]

    world.build()
    mended = world.look(7200)
    assert (mended.health, mended.reasons, mended.lag_events, mended.lag_rows) == ("live", (), 0, 0)
    assert mended.built_through == mended.newest_load_seq
    assert all(mart.is_current for mart in mended.marts if mart.rows is not None)
