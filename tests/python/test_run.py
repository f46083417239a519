"""Programs side by side: libparmap.run."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import programs
import pytest

import libparmap


def sh(script):
    return ["sh", "-c", script]


def test_each_program_gives_what_subprocess_run_gives():
    commands = [sh("echo out; echo err >&2; exit 3"), sh("exit 0"), sh("kill -9 $$"), ["printf", "a\\0\\377"]]
    for ours, command in zip(libparmap.run(commands), commands):
        theirs = subprocess.run(command, capture_output=True)
        assert vars(ours) == vars(theirs)
        assert type(ours) is subprocess.CompletedProcess and ours.args is command


def test_results_come_in_order_at_any_number_of_workers():
    for workers in (1, 2, 7, None):
        results = libparmap.run([sh(f"echo {i}") for i in range(40)], workers=workers)
        assert [int(result.stdout) for result in results] == list(range(40))


def test_arguments_may_be_str_bytes_and_paths_in_any_iterable(tmp_path):
    (tmp_path / "file").write_text("content")
    results = libparmap.run(iter([("cat", tmp_path / "file"), [b"echo", "two words"], (a for a in ["echo", "ümläut"])]))
    assert [result.stdout for result in results] == [b"content", b"two words\n", "ümläut\n".encode()]


def test_no_programs_are_fine():
    assert libparmap.run([]) == []


def test_text_is_decoded_as_subprocess_does():
    command = ["printf", "one\\r\\ntwo\\rthree\\303\\244"]
    for options in ({"text": True}, {"encoding": "latin-1"}, {"encoding": "ascii", "errors": "replace"}):
        theirs = subprocess.run(command, capture_output=True, **options)
        assert libparmap.run([command], **options)[0].stdout == theirs.stdout


def test_output_that_is_no_text_costs_no_other_programs_result():
    with pytest.raises(UnicodeDecodeError) as caught:
        libparmap.run([["echo", "one"], ["printf", "\\377"], ["echo", "three"]], encoding="utf-8")
    error = caught.value
    assert error.index == 1 and error.results[1] is None
    assert [error.results[i].stdout for i in (0, 2)] == ["one\n", "three\n"]


def test_text_is_decoded_as_subprocess_does_in_any_locale():
    program = r"""
        import subprocess, libparmap
        command = ["printf", "\\303\\244"]
        (ours,), theirs = libparmap.run([command], text=True), subprocess.run(command, text=True, capture_output=True)
        assert ours.stdout == theirs.stdout == "\xe4", (ours.stdout, theirs.stdout)
    """
    for locale in ("C", "C.UTF-8"):
        subprocess.run(programs.command(program), env=programs.environment(LC_ALL=locale), check=True)


def test_input_is_for_all_or_for_each():
    assert [result.stdout for result in libparmap.run([["cat"]] * 2, input=b"same")] == [b"same"] * 2
    large = os.urandom(1_000_000)
    results = libparmap.run([["cat"]] * 3, input=[bytearray(large), None, "text"], encoding="latin-1")
    assert [result.stdout for result in results] == [
        large.decode("latin-1").replace("\r\n", "\n").replace("\r", "\n"), "", "text"
    ]  # fmt: skip


def test_environment_and_folder(tmp_path):
    (result,) = libparmap.run([sh("echo $ONLY $HOME; pwd")], env={"ONLY": "this"}, cwd=tmp_path, text=True)
    assert result.stdout == f"this\n{tmp_path}\n"


def test_output_may_go_where_ours_goes():
    program = "import libparmap; print(libparmap.run([['echo', 'direct']], capture_output=False))"
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert printed == "direct\n[CompletedProcess(args=['echo', 'direct'], returncode=0)]\n"


def test_check_raises_for_the_first_failure_and_starts_no_more(tmp_path):
    commands = [["true"], sh("echo out; echo err >&2; exit 4"), ["touch", tmp_path / "never"]]
    with pytest.raises(subprocess.CalledProcessError) as caught:
        libparmap.run(commands, workers=1, check=True)
    error = caught.value
    assert (error.returncode, error.cmd, error.stdout, error.stderr) == (4, commands[1], b"out\n", b"err\n")
    assert error.index == 1 and error.results[0].returncode == 0 and error.results[2] is None
    assert not (tmp_path / "never").exists()


def test_check_raises_for_a_signal():
    with pytest.raises(subprocess.CalledProcessError, match="died with <Signals.SIGKILL: 9>"):
        libparmap.run([sh("kill -9 $$")], check=True)


def test_a_program_that_cannot_be_started_raises_as_subprocess_does(tmp_path):
    (tmp_path / "plain").write_text("")
    for command, options in [
        (["no-such-program"], {}), (["/no/such"], {}), ([tmp_path / "plain"], {}), (["true"], {"cwd": "/no/folder"})
    ]:  # fmt: skip
        with pytest.raises(OSError) as theirs:
            subprocess.run(command, **options)
        with pytest.raises(OSError) as ours:
            libparmap.run([["echo", "before"], command], **options)
        assert type(ours.value) is type(theirs.value)
        assert (ours.value.errno, str(ours.value.filename)) == (theirs.value.errno, str(theirs.value.filename))
        assert ours.value.index == (0 if options else 1)
        assert options or ours.value.results[0].stdout == b"before\n"


def test_a_timeout_of_one_program_lets_the_others_end():
    with pytest.raises(subprocess.TimeoutExpired) as caught:
        libparmap.run([sh("echo begun; sleep 1000"), ["echo", "fine"]], command_timeout=0.5)
    error = caught.value
    assert (error.cmd, error.timeout, error.stdout, error.index) == (sh("echo begun; sleep 1000"), 0.5, b"begun\n", 0)
    assert error.results[1].stdout == b"fine\n"


def test_a_timeout_of_all_ends_what_runs():
    with pytest.raises(subprocess.TimeoutExpired) as caught:
        libparmap.run([["true"], ["sleep", "1000"], ["sleep", "1000"]], workers=1, timeout=0.5)
    assert caught.value.index == 1 and caught.value.results[2] is None


@pytest.mark.parametrize("limits", [{"timeout": 0.3, "command_timeout": 60}, {"timeout": 60, "command_timeout": 0.3}])
def test_of_two_timeouts_the_one_that_passed_is_named(limits):
    with pytest.raises(subprocess.TimeoutExpired) as caught:
        libparmap.run([["sleep", "1000"]], **limits)
    assert caught.value.timeout == 0.3


def test_failed_programs_are_tried_again(tmp_path):
    script = "echo x >>tries; n=$(wc -l <tries); echo $n; [ $n = 3 ]"
    (result,) = libparmap.run([sh(script)], cwd=tmp_path, retries=5)
    assert (result.returncode, result.stdout) == (0, b"3\n")


def test_progress_is_told():
    seen = []
    libparmap.run([["sleep", "0.2"]] * 3, workers=1, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (3, 3) and seen == sorted(seen) and len(seen) > 5


def test_what_progress_raises_ends_the_programs():
    def fail(done, total):
        raise LookupError("no")

    with pytest.raises(LookupError, match="no"):
        libparmap.run([["sleep", "1000"]], progress=fail)


@pytest.mark.parametrize(
    ("commands", "options", "error", "sentence"),
    [
        (["ls -l"], {}, TypeError, "run: command 0 is 'ls -l': pass a list"),
        ([["ls"], []], {}, ValueError, "run: command 1 is empty: pass a program"),
        ([["a\0b"]], {}, ValueError, "null character"),
        ([["ls", 3]], {}, TypeError, "run: command 0 is ['ls', 3]: its argument 3 is no str, bytes or path"),
        ([["ls"]], {"workers": 0}, ValueError, "run: workers is 0: pass a whole number from 1"),
        ([["ls"]], {"workers": 1.5}, TypeError, "run: workers is 1.5: pass a whole number"),
        ([["ls"]], {"timeout": 0}, ValueError, "run: timeout is 0: pass seconds above 0"),
        ([["ls"]], {"timeout": "1"}, TypeError, "run: timeout is '1': pass seconds"),
        ([["ls"]], {"command_timeout": -1}, ValueError, "run: command_timeout is -1"),
        ([["ls"]], {"retries": -1}, ValueError, "run: retries is -1: pass a whole number from 0"),
        ([["ls"]], {"input": "text"}, TypeError, "run: input is 'text': pass bytes, or text=True"),
        ([["ls"]], {"input": [b"", b""]}, ValueError, "run: input has 2 entries for 1 commands"),
        ([["ls"]], {"env": {"A=B": "c"}}, ValueError, "run: env has b'A=B'"),
        ([["ls"]], {"env": {"A": 1}}, TypeError, "run: env has 1 for 'A': pass str or bytes"),
        ([["ls"]], {"encoding": "klingon"}, LookupError, "klingon"),
        ([["ls"]], {"errors": "klingon"}, LookupError, "klingon"),
        ([["ls"]], {"progress": 3}, TypeError, "run: progress is 3"),
    ],
)
def test_options_that_cannot_be_are_refused(commands, options, error, sentence):
    with pytest.raises(error, match=re.escape(sentence)):
        libparmap.run(commands, **options)


def test_the_gil_is_released_and_threads_can_run_programs_at_once():
    results, begin = [], time.monotonic()
    threads = [
        threading.Thread(target=lambda: results.extend(libparmap.run([["sleep", "0.5"]] * 2))) for _ in range(8)
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 16 and time.monotonic() - begin < 6


def test_asyncio_runs_programs_in_a_thread():
    async def main():
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.01)

        ticking = asyncio.create_task(tick())
        results = await asyncio.to_thread(libparmap.run, [sh("sleep 0.5; echo done")] * 2, workers=2)
        ticking.cancel()
        return ticks, [result.stdout for result in results]

    ticks, outputs = asyncio.run(main())
    assert outputs == [b"done\n"] * 2 and ticks > 5


def test_asyncio_and_its_own_children_do_not_get_in_the_way():
    async def main():
        ours = asyncio.to_thread(libparmap.run, [sh(f"sleep 0.1; exit {i}") for i in range(8)], workers=4)
        theirs = [asyncio.create_subprocess_exec("sh", "-c", f"sleep 0.1; exit {i}") for i in range(4)]
        results, *children = await asyncio.gather(ours, *theirs)
        return [result.returncode for result in results], [await child.wait() for child in children]

    assert asyncio.run(main()) == (list(range(8)), list(range(4)))


def test_ctrl_c_ends_the_programs_and_raises(tmp_path):
    program = f"""
        import libparmap, time
        begin = time.monotonic()
        try:
            libparmap.run([["sh", "-c", "echo $$ >>{tmp_path}/pids; exec sleep 1000"]] * 2, workers=2)
        except KeyboardInterrupt:
            print("interrupted", time.monotonic() - begin < 30)
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True)
    pids = tmp_path / "pids"
    deadline = time.monotonic() + 60
    while not pids.exists() or pids.read_text().count("\n") < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60)[0] == "interrupted True\n"
    for pid in pids.read_text().split():
        stat = Path(f"/proc/{pid}/stat")
        assert not stat.exists() or stat.read_text().rpartition(") ")[2][0] == "Z"


def test_a_job_log_lets_a_second_run_skip_what_is_done(tmp_path, monkeypatch):
    monkeypatch.setenv("PAR_JOBLOG", str(tmp_path / "log"))
    commands = [sh(f"echo x >>count-{i}; [ -e repaired ] || exit {i % 2}") for i in range(4)]
    assert [result.returncode for result in libparmap.run(commands, cwd=tmp_path)] == [0, 1, 0, 1]
    (tmp_path / "repaired").touch()
    assert [result.returncode for result in libparmap.run(commands, cwd=tmp_path)] == [0, 0, 0, 0]
    assert [(tmp_path / f"count-{i}").read_text().count("x") for i in range(4)] == [1, 2, 1, 2]
