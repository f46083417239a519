/* What the tests of the meeting point share: it is the one at PAR_SYNC_URL, whichever server that is. */
#ifndef SYNC_H
#define SYNC_H
#include "promise.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#define LONG_MS 60000
#define SHORT_MS 150
#define CHILDREN 4

/* The answer, and on failure the handle's sentence. */
#define CHECK_DONE(sync, call) check_done(__FILE__, __LINE__, #call, sync, call)
#define CHECK_FAILS(sync, call, status, part)            \
    do {                                                 \
        CHECK_EQUAL(call, status);                       \
        CHECK_TEXT(par_sync_message(sync), part);        \
        CHECK_TEXT(par_sync_message(sync), "par_sync_"); \
    } while (0)

static inline void check_done(const char *file, int line, const char *call, par_sync *sync, par_status status)
{
    if (status != PAR_OK)
        broken(file, line, "%s: %s: %s", call, par_strerror(status), par_sync_message(sync));
}

static inline par_sync *opened(void)
{
    par_sync *sync = NULL;
    CHECK_DONE(sync, par_sync_open(&sync, NULL));
    CHECK(sync != NULL);
    return sync;
}

/* A name of this process: "what-1234". */
static inline const char *fresh(const char *what)
{
    static char names[4][64];
    static unsigned next;
    char *name = names[next++ % 4];
    snprintf(name, sizeof names[0], "%s-%ld", what, (long)getpid());
    return name;
}

static inline uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Runs `work(index)` in children, which `joined` waits for. */
static inline void start(pid_t *children, int n, void (*work)(int index))
{
    for (int i = 0; i < n; i++) {
        children[i] = fork();
        CHECK(children[i] >= 0);
        if (children[i] == 0) {
            alarm(100);
            work(i);
            _exit(0);
        }
    }
}

static inline void joined(const pid_t *children, int n)
{
    for (int i = 0; i < n; i++) {
        int status = 0;
        CHECK_EQUAL(waitpid(children[i], &status, 0), children[i]);
        CHECK_EQUAL(status, 0);
    }
}

/* What the children of a promise have in common. */
static const char *shared_name;

#endif
