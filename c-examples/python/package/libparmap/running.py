"""run: programs side by side, each as subprocess.run would run it."""

import codecs
import errno
import locale
import math
import os
import subprocess
import sys

from libparmap import _core
from libparmap.progress import reporter

MOST_WORKERS = sys.maxsize
MOST_RETRIES = 2**32 - 1


def run(argument_lists, *, workers=None, timeout=None, command_timeout=None, check=False, progress=None,
        sync=False, input=None, env=None, cwd=None, capture_output=True, text=None, encoding=None, errors=None,
        retries=0):
    """Run programs, at most `workers` at once, and return a list of subprocess.CompletedProcess, in order.

        libparmap.run([["gzip", "-k", name] for name in names])

    The output of each is whole and its own. There is no shell; standard input is empty unless there is input.

    argument_lists   for each program its name and arguments: a sequence of str, bytes or paths
    workers          how many run at once; by default one a CPU
    timeout          seconds for all of it; what still runs then is ended, and nothing more is started
    command_timeout  seconds for each
    check            raise subprocess.CalledProcessError when one fails, and start no more from then on;
                     otherwise all run, and their return codes tell
    progress         True for a bar on stderr, or a function called with (done, total) on the calling thread
    sync             give the programs a meeting point, in their environment's PAR_SYNC_URL
    input            what they read: bytes (str with text) for all, or a list with one or None for each
    env, cwd         environment and folder of all of them; by default this process's own. Programs are found by this
                     process's PATH, whatever env says
    capture_output   False: output goes where this process's goes, and stdout and stderr are None
    text, encoding, errors   output as str, as with subprocess.run
    retries          how often one that fails is started again

    What subprocess.run would raise for a program is raised here once all have ended: TimeoutExpired, the
    OSError of one that cannot be started, with check CalledProcessError, with text UnicodeDecodeError. The error has the program's `index` and
    all `results`, None where there is none. Ctrl-C ends the programs and raises KeyboardInterrupt.

    A program that is to be ended gets SIGTERM, with its whole process group, and after two seconds SIGKILL. In
    asyncio: ``await asyncio.to_thread(libparmap.run, ...)``.
    """
    commands = [_command(index, command) for index, command in enumerate(argument_lists)]
    codec = _codec(text, encoding, errors)
    flags = (0 if check else _core.KEEP_GOING) | (0 if capture_output else _core.RUN_INHERIT)
    flags |= _core.RUN_SYNC if sync else 0
    with reporter(progress, "run") as report:
        outcomes, sentence = _core.run(
            tuple(argv for _, argv in commands), _inputs(input, len(commands), codec), _environment(env),
            None if cwd is None else os.fsencode(cwd), _count("workers", workers, 1, MOST_WORKERS), flags,
            _milliseconds("timeout", timeout), _milliseconds("command_timeout", command_timeout),
            _count("retries", retries, 0, MOST_RETRIES), report,
        )  # fmt: skip

    results, trouble = [], None
    for index, ((command, _), (state, code, seconds, out, err)) in enumerate(zip(commands, outcomes)):
        code = -code if state == _core.ITEM_SIGNALED else code
        ended = state in (_core.ITEM_OK, _core.ITEM_EXITED, _core.ITEM_SIGNALED)
        result = here = None
        try:
            stdout, stderr = (_decoded(out, codec), _decoded(err, codec)) if capture_output else (None, None)
        except UnicodeError as error:
            # The results of all the others are not lost for it.
            here = error
        else:
            result = subprocess.CompletedProcess(command, code, stdout, stderr) if ended else None
            limit = _limit(seconds, timeout, command_timeout)
            here = _trouble(state, code, command, stdout, stderr, check, limit, sentence, cwd)
        results.append(result)
        if trouble is None and here is not None:
            trouble = here
            trouble.index = index
    if trouble is None and None in results:
        # Time was up between two of them.
        trouble = subprocess.TimeoutExpired(commands[results.index(None)][0], timeout)
        trouble.index = results.index(None)
    if trouble is not None:
        trouble.results = results
        raise trouble
    return results


def _limit(seconds, timeout, command_timeout):
    """The timeout that ended a program which ran for so long."""
    if command_timeout is None or timeout is not None and seconds < command_timeout:
        return timeout
    return command_timeout


def _trouble(state, code, command, stdout, stderr, check, timeout, sentence, cwd):
    """What subprocess.run would raise for this program, or None."""
    if state == _core.ITEM_TIMED_OUT:
        return subprocess.TimeoutExpired(command, timeout, stdout, stderr)
    if state == _core.ITEM_SPAWN_FAILED:
        at_cwd = cwd is not None and not os.path.isdir(cwd)
        return OSError(code, os.strerror(code), os.fspath(cwd if at_cwd else command[0]))
    if state == _core.ITEM_FAILED:
        return OSError(code, sentence or errno.errorcode.get(code, ""))
    if check and state in (_core.ITEM_EXITED, _core.ITEM_SIGNALED):
        return subprocess.CalledProcessError(code, command, stdout, stderr)
    return None


def _command(index, command):
    """The command as it was given and as the extension takes it."""
    if isinstance(command, (str, bytes, os.PathLike)):
        raise TypeError(
            f"run: command {index} is {command!r}: pass a list of the program and its arguments, "
            "such as shlex.split makes"
        )
    command = command if isinstance(command, (list, tuple)) else list(command)
    if not command:
        raise ValueError(f"run: command {index} is empty: pass a program and its arguments")
    for argument in command:
        if not isinstance(argument, (str, bytes, os.PathLike)):
            raise TypeError(f"run: command {index} is {command!r}: its argument {argument!r} is no str, bytes or path")
    argv = tuple(os.fsencode(argument) for argument in command)
    if any(b"\0" in argument for argument in argv):
        raise ValueError(f"run: command {index} is {command!r}: an argument cannot hold a null character")
    return command, argv


def _environment(env):
    if env is None:
        return None
    for name, value in env.items():
        if not isinstance(value, (str, bytes, os.PathLike)):
            raise TypeError(f"run: env has {value!r} for {name!r}: pass str or bytes, such as str({value!r})")
    entries = [(os.fsencode(name), os.fsencode(value)) for name, value in env.items()]
    for name, value in entries:
        if b"=" in name or b"\0" in name + value:
            raise ValueError(f"run: env has {name!r}: a name cannot hold '=', and neither it nor a value a null character")
    return tuple(name + b"=" + value for name, value in entries)


def _codec(text, encoding, errors):
    """(encoding, errors) where output is text, otherwise None."""
    if not (text or encoding or errors):
        return None
    # What subprocess takes, in Python's UTF-8 mode, too.
    codec = encoding or locale.getpreferredencoding(False), errors or "strict"
    # Names that nobody knows are told now, and not when everything has run.
    codecs.lookup(codec[0])
    codecs.lookup_error(codec[1])
    return codec


def _decoded(output, codec):
    if codec is None:
        return output
    return output.decode(*codec).replace("\r\n", "\n").replace("\r", "\n")


def _inputs(input, count, codec):
    if not isinstance(input, (list, tuple)):
        return (_input(input, codec),) * count
    if len(input) != count:
        raise ValueError(f"run: input has {len(input)} entries for {count} commands: pass one for each, or one for all")
    return tuple(_input(one, codec) for one in input)


def _input(input, codec):
    if isinstance(input, str):
        if codec is None:
            raise TypeError(f"run: input is {input!r}: pass bytes, or text=True")
        return input.encode(*codec)
    return None if input is None else bytes(memoryview(input))


def _count(name, value, least, most):
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"run: {name} is {value!r}: pass a whole number from {least}")
    if not least <= value <= most:
        raise ValueError(f"run: {name} is {value}: pass a whole number from {least}")
    return value


def _milliseconds(name, seconds):
    if seconds is None:
        return 0
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise TypeError(f"run: {name} is {seconds!r}: pass seconds, or None")
    if not seconds > 0:
        raise ValueError(f"run: {name} is {seconds}: pass seconds above 0, or None")
    # Longer than a century is no limit.
    return 0 if seconds > 4e9 else math.ceil(seconds * 1000)
