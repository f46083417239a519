/* Opens a meeting point and uses it until something fails; says what, on stderr, and exits with the status.
 *
 *     user URL open | set | pop | "watched pop" | barrier | lock
 *
 * A pop asks the server every five seconds whether it is there, one that is watched as often as it is. */
#include <parmap.h>
#include <stdio.h>
#include <string.h>

static int go_on(void *ctx)
{
    return ctx != NULL;
}

int main(int argc, char **argv)
{
    par_sync *sync, *holder = NULL;
    par_bytes value = {NULL, 0};
    const char *what = argc == 3 ? argv[2] : "";
    par_status status = par_sync_open(&sync, argc == 3 ? argv[1] : NULL);

    if (strcmp(what, "lock") == 0)
        par_sync_open(&holder, argv[1]);
    if (holder)
        par_sync_lock(holder, "lock", UINT64_MAX, 0);
    if (status == PAR_OK && strcmp(what, "watched pop") == 0)
        par_sync_watch(sync, go_on, NULL, 100);
    if (status == PAR_OK)
        fprintf(stderr, "ready\n");
    while (status == PAR_OK && strcmp(what, "open") != 0) {
        if (strcmp(what, "set") == 0)
            status = par_sync_set(sync, "key", "value", 5);
        else if (strstr(what, "pop"))
            status = par_sync_pop(sync, "queue", &value, UINT64_MAX);
        else if (strcmp(what, "barrier") == 0)
            status = par_sync_barrier(sync, "barrier", 2, UINT64_MAX);
        else
            status = par_sync_lock(sync, "lock", 1, UINT64_MAX);
    }
    fprintf(stderr, "%s\n", par_sync_message(sync));
    par_bytes_free(&value, 1);
    par_sync_close(holder);
    par_sync_close(sync);
    return status;
}
