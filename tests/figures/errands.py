"""What tests give to processes to do: a module that imports little, as each of the processes imports it."""
import os
import signal
import time


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


def squared(job):
    with open(job[0], "a") as file:
        file.write(f"{job[1]}\n")
    if job[1] < 0:
        raise ValueError("negative")
    return job[1]**2


def squared_but_killed_once(job):
    """The process that has the number 3 is killed, the first time."""
    mark = job[0] + ".killed"
    if job[1] == 3 and not os.path.exists(mark):
        open(mark, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    return squared(job)


def killed(job):
    os.kill(os.getpid(), signal.SIGKILL)


class Unsendable(Exception):
    def __init__(self, one, two):
        super().__init__(one)


def trouble(kind):
    if kind == "an error of its own":
        raise Unsendable(1, 2)
    if kind == "an error of the system":
        raise EOFError("by hand")
    return {"a function": lambda: 1, "nothing": None, "a number": 1}[kind]


def killed_with_a_child(job):
    """The process is killed, and a child of it lives on, with all that it had open, until the file is there."""
    if os.fork() == 0:
        for _ in range(1500):
            if os.path.exists(job):
                break
            time.sleep(0.02)
        os._exit(0)
    os.kill(os.getpid(), signal.SIGKILL)
