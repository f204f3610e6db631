"""A release lets every thread of the worker run, whenever it comes: nobody is left standing still without a debugger."""
import pytest


@pytest.mark.parametrize("just_my_code", [True, False])
def test_all_threads_of_a_threaded_actor_run_on(submit, targets, attach, just_my_code):
    job = submit("actors.py", "threaded")
    targets(1, state="waiting", paused_threads=3)
    stop = attach(justMyCode=just_my_code)
    # The siblings may tell of their stops only after the next resume: this disconnect comes before.
    stop.client.disconnect()
    assert job.result() == [31, 32, 33]


def test_a_release_right_after_the_attach(submit, bridge):
    job = submit("tasks.py", "1")
    client = bridge.client()
    client.attach({"sessions": "single"}, timeout=40)
    client.disconnect()
    assert job.result() == [10]


def test_the_bridges_end_releases_held_and_attached_workers(submit, start_bridge, targets, ray):
    job = submit("tasks.py", "3")
    ray.wait_paused(3)
    bridge = start_bridge()
    clients = [bridge.client() for _ in range(2)]
    for client in clients:
        client.attach({"sessions": "single"}, timeout=40)
        client.stop()
    clients[0].close()
    bridge.process.terminate()
    assert bridge.process.wait(5) == 0
    clients[1].event("terminated")
    log = bridge.log.read_text()
    assert log.count("released: ray-dap shuts down") == 2, log
    third = targets(1, state="waiting")
    assert third[0]["name"] == "square"
    job.stop()
