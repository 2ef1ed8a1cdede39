"""Work shared out among processes: one that dies fails its own job only, and none outlives the command."""
import os
import signal
import sys
import threading
import time
import traceback
from collections import deque
from multiprocessing import connection, get_context, parent_process

PATIENCE = 5  # seconds to tidy up in, for a process that is told to end


def shared_out(function, jobs, at_a_time):
    """Call function(**job) for every job, in so many processes: (job, result, trouble) of each, as they are done.

    Trouble is None, or what went wrong in words: not every error survives the way between processes.  However the loop
    over them ends, by an error, Ctrl-C or SIGTERM, no process is left.
    """
    waiting, workers = deque(jobs), {}  # {pipe: (process, its job)}
    one_thread()
    with ended_by_sigterm():
        try:
            while waiting or workers:
                while waiting and len(workers) < at_a_time:
                    pipe, process = hired(function)
                    give(workers, pipe, process, waiting.popleft())
                for pipe in connection.wait(list(workers)):
                    process, job = workers.pop(pipe)
                    try:
                        result, trouble = pipe.recv()
                    except (EOFError, OSError):
                        yield job, None, f"its process died, {last_words(process)}; the others go on"
                        continue
                    if waiting:
                        give(workers, pipe, process, waiting.popleft())
                    else:
                        pipe.close()  # which ends it
                        process.join(PATIENCE)
                    yield job, result, trouble
        finally:
            dismiss([process for process, _ in workers.values()])


def give(workers, pipe, process, job):
    workers[pipe] = process, job
    try:
        pipe.send(job)
    except OSError:
        pass  # it has died: the pipe will say so


def hired(function):
    context = get_context("spawn")
    mine, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, function), daemon=True)
    process.start()
    theirs.close()
    return mine, process


def last_words(process):
    process.join(PATIENCE)
    code = process.exitcode
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}" + (" (out of memory?)" if code == -9 else "")
    return f"with exit code {code}"


def dismiss(processes):
    """Tell them to end, and see that they do."""
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(PATIENCE)
        if process.is_alive():
            process.kill()
            process.join()


class ended_by_sigterm:
    """SIGTERM ends the program like an error does, with exit code 143, so that all is tidied up on the way."""
    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            self.before = signal.signal(signal.SIGTERM, leave)

    def __exit__(self, *_):
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self.before)


def leave(*_):
    sys.exit(128 + signal.SIGTERM)


def one_thread():
    """One thread a process: the processes fill the machine, and sums come out the same whatever it has."""
    for library in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
        os.environ[f"{library}_NUM_THREADS"] = "1"


def serve(pipe, function):
    """What a process does: its jobs, until there are no more, or there is nobody to do them for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the command, which ends the others
    signal.signal(signal.SIGTERM, leave)
    threading.Thread(target=end_with_the_command, daemon=True).start()
    while True:
        try:
            job = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            answer = function(**job), None
        except Exception:
            answer = None, traceback.format_exc()
        try:
            pipe.send(answer)
        except OSError:
            return


def end_with_the_command():
    connection.wait([parent_process().sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(PATIENCE)
    os._exit(1)
