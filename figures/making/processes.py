"""An executor of processes with one job in hand each: one that dies fails its own job only, and none outlives us.

(A ProcessPoolExecutor breaks as a whole where a process is killed; where the command itself is, its processes stay.)
"""
import os
import signal
import sys
import threading
import time
import traceback
from collections import deque
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import suppress
from multiprocessing import connection, get_context, parent_process
from multiprocessing.reduction import ForkingPickler

PATIENCE = 5  # seconds to tidy up in, for a process that is told to end


class Died(RuntimeError):
    """The process that had a job was killed, or ended by itself."""


class Failed(RuntimeError):
    """A job ended in an error that cannot be sent from process to process: its text."""


class Processes(Executor):
    """So many processes at a time, of one thread each: they fill the machine, and sums come out the same on any.

    As a context it waits for its jobs.  Left by an error, Ctrl-C or SIGTERM, it ends its processes.
    """

    def __init__(self, at_a_time=None):
        one_thread()
        self.at_a_time, self.open, self.lock = at_a_time or cores(), True, threading.Lock()
        self.waiting, self.workers = deque(), {}  # {pipe: (process, the future of its job)}
        self.broken = None  # what keeps it from going on
        self.called, self.call = get_context("spawn").Pipe(duplex=False)
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def submit(self, function, /, *arguments, **named):
        future = Future()
        self.waiting.append((future, (function, arguments, named)))
        if self.broken is None:
            self.call.send(None)
        else:
            self.give_up()
        return future

    def shutdown(self, wait=True, *, cancel_futures=False):
        self.open = False
        while cancel_futures and self.waiting:
            self.waiting.popleft()[0].cancel()
        self.call.send(None)
        if wait:
            self.thread.join()

    def __enter__(self):
        self.sigterm = ended_by_sigterm()
        self.sigterm.__enter__()
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.shutdown()
            else:
                self.waiting.clear()
                with self.lock:
                    self.open = False
                    dismiss([process for process, _ in self.workers.values()])
        finally:
            self.sigterm.__exit__()

    def work(self):
        """What the thread does; where it cannot go on, as no process can be started, nobody waits in vain."""
        try:
            self.give_and_take()
        except Exception as error:
            self.broken = error
            self.give_up()

    def give_up(self):
        """Tell all who wait that nothing will come."""
        with self.lock:
            dismiss([process for process, _ in self.workers.values()])
            waiting = [future for _, future in self.workers.values()]
            self.workers.clear()
            while self.waiting:
                future, _ = self.waiting.popleft()
                waiting += [future] if future.set_running_or_notify_cancel() else []
        for future in waiting:
            future.set_exception(BrokenExecutor(f"no process does it: {self.broken!r}"))

    def give_and_take(self):
        """Give jobs to processes, and their results to those who wait for them."""
        while self.open or self.waiting or self.workers:
            while self.waiting and len(self.workers) < self.at_a_time:
                self.give_next(*hired())
            for pipe in connection.wait([self.called, *self.workers], PATIENCE) or self.deserted():
                if pipe is self.called:
                    pipe.recv()
                    continue
                process, future = self.workers.pop(pipe)
                try:
                    result, error = pipe.recv()
                except (EOFError, OSError):
                    with self.lock:  # of two threads that wait for one process, one would not hear of its end
                        words = last_words(process)
                    future.set_exception(Died(f"its process died, {words}"))
                    continue
                except Exception as trouble:  # here there is no such class as what was sent
                    result, error = None, trouble
                self.give_next(pipe, process)
                if error is None:
                    future.set_result(result)
                else:
                    future.set_exception(error)

    def deserted(self):
        """The pipes of those that have died, but started others, who hold them open: closed, for nothing will come."""
        with self.lock:
            dead = [pipe for pipe, (process, _) in self.workers.items() if not (process.is_alive() or pipe.poll())]
        for pipe in dead:
            pipe.close()
        return dead

    def give_next(self, pipe, process):
        """Give a process the next job; if there is none, end it."""
        with self.lock:
            while self.waiting:
                future, job = self.waiting.popleft()
                if not future.set_running_or_notify_cancel():
                    continue
                try:
                    text = ForkingPickler.dumps(job)
                except Exception as error:
                    future.set_exception(error)
                    continue
                self.workers[pipe] = process, future
                with suppress(OSError):  # it has died: the pipe will say so
                    pipe.send_bytes(text)
                return
        pipe.close()  # which ends it
        process.join(PATIENCE)
        if process.is_alive():
            dismiss([process])


def hired():
    context = get_context("spawn")
    mine, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs,), daemon=True)
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
        self.here = threading.current_thread() is threading.main_thread()
        self.before = signal.signal(signal.SIGTERM, leave) if self.here else None

    def __exit__(self, *_):
        if self.here:
            signal.signal(signal.SIGTERM, self.before)


def leave(*_):
    sys.exit(128 + signal.SIGTERM)


def one_thread():
    """One thread a process: the processes fill the machine, and sums come out the same whatever it has."""
    for library in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
        os.environ[f"{library}_NUM_THREADS"] = "1"


def serve(pipe):
    """What a process does: its jobs, until there are no more, or there is nobody to do them for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the command, which ends the others
    signal.signal(signal.SIGTERM, leave)
    threading.Thread(target=end_with_the_command, daemon=True).start()
    while True:
        try:
            text = pipe.recv_bytes()
        except (EOFError, OSError):
            return
        try:
            function, arguments, named = ForkingPickler.loads(text)
            answer = ForkingPickler.dumps((function(*arguments, **named), None))
        except Exception as error:
            answer = ForkingPickler.dumps((None, sendable(error)))
        try:
            pipe.send_bytes(answer)
        except OSError:
            return


def sendable(error):
    """The error; or its text, if it does not survive the way between processes."""
    text = traceback.format_exc()
    try:
        ForkingPickler.loads(ForkingPickler.dumps(error))
    except Exception:
        return Failed(text)
    return error


def end_with_the_command():
    connection.wait([parent_process().sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(PATIENCE)
    os._exit(1)


def cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
