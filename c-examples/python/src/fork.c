/* fork as Python's own, and how a child ended, whoever reaped it.
 *
 * os.fork warns when other threads run (from Python 3.12 on), which the user of a Pool can do nothing about: its
 * workers are forked between calls of the Python API, with the import lock held, and never return into the
 * caller's code. */
#include "core.h"

#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

PyObject *is_main_interpreter(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(nothing))
{
    return PyBool_FromLong(PyInterpreterState_GetID(PyInterpreterState_Get()) == 0);
}

/* Is this process a child that an item has forked in a worker? */
static volatile sig_atomic_t is_copy;

static void note_copy(void)
{
    is_copy = 1;
}

/* Called when a worker comes out of an item. The worker is the parent; there must not be two of it. */
void end_if_copied(void)
{
    static const char sentence[] = "libparmap: a child that was forked inside an item of a Pool returned from it, and was "
                                   "ended: end such a child with os._exit or exec\n";

    if (!is_copy)
        return;
    if (write(STDERR_FILENO, sentence, sizeof sentence - 1) < 0)
        _exit(2);
    _exit(1);
}

/* fork(pids) -> 0 in the child, where all signals are blocked: a KeyboardInterrupt there would unwind into the
 * caller's program. In the parent the child's pid, which stands in the list `pids` before any handler can run.
 * Python's hooks around the fork would swallow a KeyboardInterrupt, so it has to wait until they have run. */
PyObject *fork_worker(PyObject *Py_UNUSED(module), PyObject *pids)
{
    PyObject *number;
    sigset_t everything, before;
    pid_t pid;
    int error, noted;

    sigfillset(&everything);
    pthread_sigmask(SIG_SETMASK, &everything, &before);
    PyOS_BeforeFork();
    pid = fork();
    error = errno;
    if (pid == 0) {
        PyOS_AfterFork_Child();
        /* Where memory is short, a copy goes unnoticed, and that is all. */
        (void)pthread_atfork(NULL, NULL, note_copy);
        is_copy = 0;
        return PyLong_FromLong(0);
    }
    PyOS_AfterFork_Parent();
    number = pid < 0 ? NULL : PyLong_FromLong(pid);
    noted = number == NULL ? -1 : PyList_Append(pids, number);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid < 0) {
        errno = error;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    if (noted < 0)
        Py_CLEAR(number);
    return number;
}

/* The kernel's struct pidfd_info as of Linux 6.15, which keeps how a process ended while a pidfd is open. Headers of
 * most systems are older. */
struct ended {
    uint64_t mask, cgroup_id;
    uint32_t ids[11];
    int32_t exit_code;
};
#define ENDED_EXIT (UINT64_C(1) << 3)
#define GET_ENDED _IOWR(0xFF, 11, struct ended)

_Static_assert(sizeof(struct ended) == 64, "the kernel knows a structure by its size");

/* status_after_reaping(pidfd) -> a status as of os.waitpid for a child that is gone, or None where it is not known. */
PyObject *status_after_reaping(PyObject *Py_UNUSED(module), PyObject *pidfd)
{
    struct ended ended = { .mask = ENDED_EXIT };
    const long fd = PyLong_AsLong(pidfd);

    if (fd == -1 && PyErr_Occurred())
        return NULL;
    if (ioctl((int)fd, GET_ENDED, &ended) == 0 && (ended.mask & ENDED_EXIT))
        return PyLong_FromLong(ended.exit_code);
    return Py_NewRef(Py_None);
}
