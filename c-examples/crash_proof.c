/* A map over items of which some crash, hang or leave: each gets its outcome, and the others finish.
 *
 *     cc -O2 crash_proof.c -o crash_proof -lparmap && ./crash_proof
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <parmap.h>

static const char *const task[] = {"count letters", "read nowhere", "count letters", "hang",     "count letters",
                                   "exit(3)",       "abort",        "recurse",       "return 5", "count letters"};
#define TASKS (sizeof task / sizeof task[0])

static volatile int *volatile nowhere; /* NULL */

static int recurse(volatile const char *above)
{
    volatile char room[4096];
    room[0] = above[0];
    return room[0] ? 0 : recurse(room) + room[0];
}

/* One item, in a worker process: whatever it does to its process, the caller's goes on. */
static int run(const void *in, void *out, void *ctx)
{
    const char *name = *(const char *const *)in;
    (void)ctx;
    if (strcmp(name, "read nowhere") == 0)
        return *nowhere;
    if (strcmp(name, "hang") == 0)
        while (nowhere == NULL)
            ;
    if (strcmp(name, "exit(3)") == 0)
        exit(3);
    if (strcmp(name, "abort") == 0)
        abort();
    if (strcmp(name, "recurse") == 0)
        return recurse("");
    if (strcmp(name, "return 5") == 0)
        return 5;
    *(size_t *)out = strlen(name);
    return 0;
}

int main(void)
{
    size_t letters[TASKS] = {0};
    par_item items[TASKS];
    par_report report = {0};
    report.size = sizeof report;

    par_options options = PAR_OPTIONS_INIT;
    options.executor = PAR_PROCESSES;
    options.flags = PAR_KEEP_GOING;
    options.item_timeout_ms = 500;
    options.items = items;
    options.report = &report;
    par_status status = par_map(run, NULL, task, sizeof task[0], letters, sizeof letters[0], TASKS, &options);

    static const char *const state[] = {"not run", "ok", "failed", "exited", "ended by a signal", "timed out"};
    printf("%-4s  %-14s  %-18s  %4s  %s\n", "item", "task", "outcome", "code", "result");
    for (size_t i = 0; i < TASKS; i++) {
        printf("%4zu  %-14s  %-18s  %4d  ", i, task[i], state[items[i].state], (int)items[i].code);
        printf(items[i].state == PAR_ITEM_OK ? "%zu\n" : "-\n", letters[i]);
    }
    printf("\n%s\n", report.message);
    return status == PAR_EITEM ? 0 : 1;
}
