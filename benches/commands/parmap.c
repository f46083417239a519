/* parmap N WORKERS MEGABYTES: one par_run, from a host that holds that much memory. Prints the seconds it took. */
#define _POSIX_C_SOURCE 200809L
#include <parmap.h>
#include <stdio.h>
#include <stdlib.h>

#include "hold.h"

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    size_t n = strtoul(argv[1], NULL, 10);
    const char *arguments[] = {"/bin/true", NULL};
    par_command *commands = calloc(n, sizeof *commands);
    par_outcome *outcomes = calloc(n, sizeof *outcomes);
    if (!commands || !outcomes || !hold(argv[3]))
        return 1;
    for (size_t i = 0; i < n; i++) {
        commands[i].size = sizeof commands[i];
        commands[i].argv = arguments;
    }
    par_options options = PAR_OPTIONS_INIT;
    options.workers = strtoul(argv[2], NULL, 10);

    double begin = seconds();
    par_status status = par_run(commands, outcomes, n, &options);
    printf("%.6f\n", seconds() - begin);
    par_outcomes_free(outcomes, n);
    return status == PAR_OK ? 0 : 1;
}
