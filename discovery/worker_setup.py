# Evaluated inside a Ray worker by ray-dap, between `attach` and the worker's stop, in debugpy's own thread.
#
# Given: `arguments`, the attach arguments, and `first`, False where a former session attached this worker.
# Leaves: `result`, base64 of JSON {python, mappings, problems}, or None where debugpy would print it for the user to
# see. Never raises: what fails is told in `problems`, and the other steps are still made. ASCII only; runs on Python
# 3.9 and later with debugpy 1.8.0 and later, whose pydevd it reaches into: a later version may move things, hence
# the care.
import base64
import json
import os
import re
import sys

problems = []


def step(what, function, *given):
    try:
        return function(*given)
    except Exception as error:
        problems.append("%s: %s: %s" % (what, type(error).__name__, error))
        return None


def debugger():
    import pydevd

    return pydevd.get_global_debugger()


def value_is_printed():
    # Before 1.8.21, debugpy prints the value of an expression without a frame to the client's console and answers
    # with an empty result.
    import debugpy

    return [int(each) for each in re.findall(r"\d+", debugpy.__version__)[:3]] < [1, 8, 21]


def tune_latency(db):
    # TCP_NODELAY: pydevd writes header and body apart, and Nagle's algorithm makes 40 ms of each message.
    db.writer.sock.setsockopt(6, 1, 1)


def apply_options(db):
    # pydevd keeps whatever a former session set and this one does not mention: start from the defaults.
    options = {key: value for key, value in arguments.items() if key not in ("pathMappings", "clientOS")}
    try:
        processor = db.reader.process_net_command_json.__self__
        processor._options = type(processor._options)()
        processor._set_debug_options(db, options, "attach")
    except Exception:
        from _pydevd_bundle import pydevd_process_net_command_json

        convert = pydevd_process_net_command_json._convert_rules_to_exclude_filters
        db.set_use_libraries_filter(bool(options.get("justMyCode", True)))
        db.set_exclude_filters(convert(options.get("rules") or [], problems.append))
        raise


def never_stop_alone(db):
    # A thread that comes to its stop just as the debugger leaves would stand still with nobody to resume it: one of
    # several that waited in a threaded actor, or the only one when a client leaves at once. So the bridge calls
    # ray_dap_leave before it disconnects (leave_expression in worker_setup.cpp): what waits then is resumed, what
    # comes to a stop later runs through it.
    db.ray_dap_leaving = False
    if hasattr(db, "ray_dap_leave"):
        return
    wait = db.do_wait_suspend
    waiting = []

    def tell(name, thread):
        # debugpy tells of one thread and says that all stand still; the bridge wants to know which really do.
        from _pydevd_bundle._debug_adapter.pydevd_base_schema import BaseSchema
        from _pydevd_bundle.pydevd_comm_constants import CMD_RETURN
        from _pydevd_bundle.pydevd_constants import get_thread_id
        from _pydevd_bundle.pydevd_net_command import NetCommand

        body = {"threadId": BaseSchema._translate_id_to_dap(get_thread_id(thread))}
        event = {"type": "event", "event": name, "body": body}
        db.writer.add_command(NetCommand(CMD_RETURN, 0, event, is_json=True))

    def run(info):
        info.pydev_state = 1  # STATE_RUN; pydevd's waiting loop looks at it
        info.pydev_step_cmd = -1
        info.pydev_step_stop = None
        if hasattr(info, "update_stepping_info"):
            info.update_stepping_info()

    def do_wait_suspend(thread, *given, **named):
        info = db.set_additional_thread_info(thread)
        waiting.append(info)
        try:
            if db.is_attached() and not db.ray_dap_leaving:
                step("suspended", tell, "rayDapSuspended", thread)
                try:
                    return wait(thread, *given, **named)
                finally:
                    step("resumed", tell, "rayDapResumed", thread)
            run(info)
        finally:
            waiting.remove(info)

    def resume():
        if db.ray_dap_leaving:
            for info in list(waiting):
                run(info)

    def leave():
        db.ray_dap_leaving = True
        resume()
        # A thread on its way into the wait suspends all others once more.
        for delay in (0.05, 0.1, 0.2, 0.4, 0.8, 1.6):
            db.timeout_tracker.call_on_timeout(delay, resume)

    db.do_wait_suspend = do_wait_suspend
    db.ray_dap_leave = leave


def tell_every_stop(db):
    # Threads that come to their stops at the same time: pydevd tells of the first alone. A `continue` that comes just then
    # may reach the first before the next one suspends all again: then it is never answered, or the next one stands still
    # with nobody told, for ever. So a stop of its own that comes after a `continue` is told of, and answers that; and a
    # thread that leaves an older stop late says no more that all run. A `continue` where nothing stands still (any more)
    # is answered at once, not at the next stop's end.
    from _pydevd_bundle.pydevd_comm_constants import CMD_THREAD_SUSPEND

    single = db.threads_suspended_single_notification
    notifying = type(single)
    if "on_thread_suspend" in vars(notifying):
        return
    # What is used below must be there.
    (single._callbacks, single._callbacks_lock, single._lock, single._suspended_thread_id_to_thread)
    (single._last_suspend_notification_time, single._last_resume_notification_time)
    tell, tell_resumed = notifying.on_thread_suspend, notifying.on_thread_resume
    stopped_at = {}

    def answer_if_all_run(self):
        with self._lock:
            if self._suspended_thread_id_to_thread:
                return
        with self._callbacks_lock:
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def add_on_resumed_callback(self, callback):
        with self._callbacks_lock:
            self._callbacks.append(callback)
        answer_if_all_run(self)

    def on_thread_suspend(self, thread_id, thread, stop_reason):
        if stop_reason != CMD_THREAD_SUSPEND:
            overtaken = bool(self._callbacks)
            if overtaken:
                self.send_resume_notification(thread_id)
            if overtaken or self._last_resume_notification_time >= self._last_suspend_notification_time:
                self.increment_suspend_time()
        tell(self, thread_id, thread, stop_reason)
        stopped_at[thread_id] = self._last_suspend_notification_time

    def on_thread_resume(self, thread_id, thread):
        late = stopped_at.pop(thread_id, 0) < self._last_suspend_notification_time
        if late and len(self._suspended_thread_id_to_thread) > 1:
            with self._lock:
                self._suspended_thread_id_to_thread.pop(thread_id)
        else:
            tell_resumed(self, thread_id, thread)
        answer_if_all_run(self)

    notifying.on_thread_suspend = on_thread_suspend
    notifying.on_thread_resume = on_thread_resume
    notifying.add_on_resumed_callback = add_on_resumed_callback


def monitoring():
    # What pydevd traces with since Python 3.12, instead of sys.settrace.
    from _pydevd_bundle import pydevd_constants

    if not getattr(pydevd_constants, "PYDEVD_USE_SYS_MONITORING", False):
        return None
    from _pydevd_sys_monitoring import pydevd_sys_monitoring

    return pydevd_sys_monitoring


def stop_where_it_raised(db):
    # Ray's post-mortem asks pydevd for the stop from ordinary code, with `is_tracing` set so that nothing on the way
    # there is traced. With sys.monitoring pydevd does not look at that: it traces what its own stop calls (contextlib),
    # finds the thread about to be suspended and stops it there, which hides the error's stack. So the thread is not
    # traced meanwhile. What has raised has no next line: a step goes on as `continue` does, not to a stop within Ray.
    # And the thread stands in the frame that raised, not, as pydevd says of what nobody handles, in the outermost.
    if hasattr(db, "ray_dap_post_mortem"):
        return
    stop, wait, monitor = db.stop_on_unhandled_exception, db.do_wait_suspend, monitoring()

    def stop_untraced(py_db, thread, info, error):
        if monitor:
            monitor.start_monitoring()  # makes the thread known; one that is not cannot be switched off
            monitor.stop_monitoring()
        try:
            stop(py_db, thread, info, error)
        finally:
            info.pydev_step_cmd = -1
            info.pydev_step_stop = None
            if hasattr(info, "update_stepping_info"):
                info.update_stepping_info()
            if monitor:
                monitor.start_monitoring()

    def wait_in_frame(thread, frame, event, arg, exception_type=None):
        return wait(thread, frame, event, arg, None if exception_type == "UNHANDLED" else exception_type)

    db.stop_on_unhandled_exception = stop_untraced
    db.do_wait_suspend = wait_in_frame
    db.ray_dap_post_mortem = True


def keep_errors_whole():
    # With sys.monitoring pydevd hangs an object of its own on every exception. Ray would pickle it with the error, and
    # the caller, who has no pydevd, would get an UnserializableException.
    tag = getattr(monitoring(), "UnhandledExceptionTag", None)
    if tag is not None:
        tag.__reduce__ = lambda self: (object, ())


def put_filters_first(db):
    # Ray stops in its own debugpy.py. Since Python 3.12 (sys.monitoring) that file must be excluded for the user's
    # frame to be on top; before, it must be included, or pydevd never looks at the frame that called it: with
    # justMyCode, debugpy's default, the task would run on. The user's own options come after these two.
    from _pydevd_bundle.pydevd_filtering import ExcludeFilter

    names = ("**/ray/util/debugpy.py", "**/ray/util/rpdb.py")
    exclude = sys.version_info >= (3, 12)
    theirs = [each for each in db._files_filtering._exclude_filters if each.name not in names]
    db.set_exclude_filters([ExcludeFilter(name, exclude, True) for name in names] + theirs)


def is_windows(path):
    return bool(re.match(r"[A-Za-z]:[\\/]|\\\\", path))


def user_mappings():
    found = []
    for each in arguments.get("pathMappings") or []:
        local, remote = each.get("localRoot"), each.get("remoteRoot")
        if local and remote:
            if remote == ".":
                remote = os.getcwd() + ("/" if local.endswith(("/", "\\")) else "")
            found.append((local, remote))
    return found


def packages(kind):
    # Ray unpacks runtime environments to .../runtime_resources/<kind>/<name>: _ray_pkg_<hash> for what a job uploads,
    # other names for archives from elsewhere.
    pattern = re.compile(r"(.*/%s/[^/]+)(?:/|$)" % kind)
    found = []
    for path in [os.getcwd()] + [each for each in sys.path if isinstance(each, str)]:
        match = pattern.match(path.replace(os.sep, "/"))
        if match and match.group(1) not in found:
            found.append(match.group(1))
    return found


def modules():
    for package in packages("py_modules_files"):
        for name in sorted(os.listdir(package)):
            path = os.path.join(package, name)
            if name == "__pycache__" or name.endswith((".dist-info", ".egg-info")):
                continue
            if os.path.isdir(path) or name.endswith(".py"):
                yield name, path


def package_mappings(local, separator):
    own = packages("working_dir_files") or [os.getcwd()]
    if isinstance(local, dict):
        found = [(local["."], remote) for remote in own if local.get(".")]
        for name, folder in local.items():
            if name == "." or not folder:
                continue
            remotes = [path for module, path in modules() if module in (name, name + ".py")]
            if not remotes:
                problems.append("localRoot: no module '%s' among the worker's py_modules" % name)
            found += [(folder, remote) for remote in remotes]
        # The first that fits a client's path wins: inner folders before outer ones.
        return sorted(found, key=lambda each: -len(each[0]))
    if not local:
        return []
    root = local if local.endswith(("/", "\\")) else local + separator
    inner, shadowed = [], []
    for name, remote in modules():
        # Where the working directory has the module too, that is the one Python imports.
        twice = any(os.path.exists(os.path.join(each, name)) for each in own)
        (shadowed if twice else inner).append((root + name, remote))
    return inner + [(local, remote) for remote in own] + shadowed


def map_paths():
    import pydevd_file_utils

    local = arguments.get("localRoot")
    mappings = step("pathMappings", user_mappings) or []
    roots = list(local.values()) if isinstance(local, dict) else [local]
    roots += [each for each, _ in mappings]
    client = str(arguments.get("clientOS") or "").upper()
    if client not in ("WINDOWS", "UNIX"):
        windows = os.name == "nt" or any(isinstance(each, str) and is_windows(each) for each in roots)
        client = "WINDOWS" if windows else "UNIX"
    step("clientOS", pydevd_file_utils.set_ide_os, client)
    mappings += step("localRoot", package_mappings, local, "\\" if client == "WINDOWS" else "/") or []
    used = list(mappings)
    if arguments.get("sources") == "path":
        # Every file keeps its path and is never served by the worker.
        used.append(("/", "/"))
    elif not used:
        # With any mapping at all, files that none covers get a sourceReference and can be asked for.
        used.append(("/ray-dap/no/such/folder", "/ray-dap/no/such/folder"))
    # Always, so that nothing of a former session's stays.
    pydevd_file_utils.setup_client_server_paths(used)
    return mappings


def set_up():
    db = step("debugger", debugger)
    if db is not None:
        if arguments.get("tuneLatency") is not False:
            step("tuneLatency", tune_latency, db)
        step("stops", never_stop_alone, db)
        step("everyStop", tell_every_stop, db)
        step("postMortem", stop_where_it_raised, db)
        step("errors", keep_errors_whole)
        if not first:
            step("options", apply_options, db)
        step("filters", put_filters_first, db)
    mappings = step("mappings", map_paths) or []
    return {"python": list(sys.version_info[:2]), "mappings": mappings, "problems": problems}


silent = step("debugpy", value_is_printed)
report = set_up()
result = None if silent else base64.b64encode(json.dumps(report).encode()).decode()
