"""An end to what somebody else may keep waiting for ever."""
import threading
import time

from data_scripts.formats import DataError

PATIENCE, SLOWEST = 120, 20_000  # a mirror has so many seconds, and one more for so many bytes


def in_time(end, bar, call, *arguments, **how):
    """What call(...) returns or raises, if it has ended by then, a time.monotonic().

    It runs in a thread, for a server that sends a byte a second keeps it waiting inside one read: no limit on the time
    without a byte, and no count of bytes, ends that.  The thread ends at its next bytes, or with this program.
    """
    ended = []

    def work():
        try:
            ended.append((call(*arguments, **how), None))
        except BaseException as error:
            ended.append((None, error))
        if bar.most < 0:
            ended.clear()  # it comes too late, and an error would hold the connection open

    thread = threading.Thread(target=work, daemon=True)
    try:
        thread.start()
        thread.join(max(0, end - time.monotonic()))
    finally:
        bar.most = -1 if thread.is_alive() else bar.most
    try:
        result, error = ended.pop()
    except IndexError:
        raise DataError(f"{bar.address} takes too long: a set of this size should come in {PATIENCE} s, and "
                        f"{SLOWEST:,} bytes a second") from None
    try:
        if error is not None:
            raise error
        return result
    finally:
        del error  # it knows this frame, which knows it: neither would be forgotten, nor the connection closed
