/* Meeting points that are not there, do not let one in, or go away. */
#define _POSIX_C_SOURCE 200809L
#include "promise.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

static void check_open(const char *url, par_status status, const char *part)
{
    par_sync *sync = NULL;
    par_bytes value = {NULL, 0};
    CHECK_EQUAL(par_sync_open(&sync, url), status);
    CHECK(sync != NULL);
    CHECK_TEXT(par_sync_message(sync), "par_sync_open: ");
    CHECK_TEXT(par_sync_message(sync), part);
    CHECK_EQUAL(par_sync_get(sync, "key", &value), PAR_ESYNC);
    CHECK_TEXT(par_sync_message(sync), "par_sync_get: this handle has no connection, it could not be opened: ");
    CHECK_EQUAL(par_sync_lock(sync, "lock", 1, 0), PAR_ESYNC);
    CHECK_EQUAL(par_sync_unlock(sync, "lock"), PAR_ESYNC);
    CHECK_EQUAL(par_sync_barrier(sync, "barrier", 2, 0), PAR_ESYNC);
    par_sync_close(sync);
}

static void a_url_that_is_none_is_answered_with_what_to_write(void)
{
    check_open("", PAR_EINVAL, "write redis://[:password@]host:port/db or unix:///path");
    check_open("localhost:6379", PAR_EINVAL, "no scheme");
    check_open("http://localhost", PAR_EINVAL, "'http'");
    check_open("rediss://localhost", PAR_EINVAL, "TLS");
    check_open("redis://localhost:port", PAR_EINVAL, "port is 'port'");
    check_open("redis://localhost/name", PAR_EINVAL, "database is 'name'");
    check_open("unix://relative/path", PAR_EINVAL, "slash");
    check_open("\xff\xfe://", PAR_EINVAL, "not UTF-8");
}

static void a_server_that_is_not_there_is_named(void)
{
    char longest[300] = "unix:///";
    memset(longest + strlen(longest), 'x', 200);
    check_open(longest, PAR_ESYNC, "at most 107 bytes");
    check_open("unix:///no/such/socket", PAR_ESYNC, "unix:///no/such/socket cannot be reached: No such file");
    check_open("unix:///dev/null", PAR_ESYNC, "cannot be reached: Connection refused");
    check_open("redis://127.0.0.1:1", PAR_ESYNC, "redis://127.0.0.1:1 cannot be reached: Connection refused");
    check_open("redis://:secret@no-such-host.invalid", PAR_ESYNC, "redis://no-such-host.invalid:6379 cannot be reached");
}

static void without_a_url_the_environment_must_have_one(void)
{
    unsetenv("PAR_SYNC_URL");
    check_open(NULL, PAR_EINVAL, "the environment has no PAR_SYNC_URL");
}

/* A server in a child: answers PING, and hangs up as soon as it is asked for more. */
static pid_t hangs_up(int listener)
{
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        char byte;
        const int peer = accept(listener, NULL, NULL);
        for (int i = 0; i < 14; i++)
            CHECK_EQUAL(read(peer, &byte, 1), 1);
        CHECK_EQUAL(write(peer, "+PONG\r\n", 7), 7);
        CHECK_EQUAL(read(peer, &byte, 1), 1);
        _exit(0);
    }
    return child;
}

static void a_server_that_hangs_up_raises_no_signal(void)
{
    static char large[8 << 20];
    char folder[] = "/tmp/parmap-faults-XXXXXX", url[128];
    struct sockaddr_un address;
    par_sync *sync = NULL;
    pid_t child;
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);

    CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    CHECK(mkdtemp(folder) != NULL);
    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    snprintf(address.sun_path, sizeof address.sun_path, "%s/s", folder);
    CHECK_EQUAL(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    CHECK_EQUAL(listen(listener, 1), 0);
    child = hangs_up(listener);
    snprintf(url, sizeof url, "unix://%s", address.sun_path);
    CHECK_EQUAL(par_sync_open(&sync, url), PAR_OK);
    CHECK_EQUAL(par_sync_set(sync, "key", large, sizeof large), PAR_ESYNC);
    CHECK_TEXT(par_sync_message(sync), "is gone");
    CHECK_EQUAL(par_sync_set(sync, "key", "x", 1), PAR_ESYNC);
    CHECK_TEXT(par_sync_message(sync), "this handle has no connection, it was lost");
    par_sync_close(sync);
    CHECK_EQUAL(waitpid(child, NULL, 0), child);
    unlink(address.sun_path);
    rmdir(folder);
}

const promise promises[] = {
    PROMISE(a_url_that_is_none_is_answered_with_what_to_write),
    PROMISE(a_server_that_is_not_there_is_named),
    PROMISE(without_a_url_the_environment_must_have_one),
    PROMISE(a_server_that_hangs_up_raises_no_signal),
    {NULL, NULL},
};
