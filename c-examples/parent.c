/* A parent that starts child scripts with arguments; the children meet, and the last of them draws what all have found.
 *
 *     cc -O2 parent.c -o parent -lparmap
 *     ./parent [PYTHON [SCRIPT]]
 *
 * Each child computes one point of a curve: how often water finds its way through a random grid of which a share P is
 * open. PAR_RUN_SYNC gives them a place to meet for as long as the call takes; with PAR_SYNC_URL=redis://... in the
 * environment they meet at that Redis instead. SCRIPT is python/percolation.py and needs the Python package `redis`.
 */
#include <stdio.h>
#include <string.h>

#include <parmap.h>

#define CHILDREN 13

int main(int argc, char **argv)
{
    const char *python = argc > 1 ? argv[1] : "python3";
    const char *script = argc > 2 ? argv[2] : "c-examples/python/percolation.py";
    const char *arguments[CHILDREN][5];
    char open_share[CHILDREN][16], children[16];
    par_command commands[CHILDREN];
    par_outcome outcomes[CHILDREN];

    snprintf(children, sizeof children, "%d", CHILDREN);
    memset(commands, 0, sizeof commands);
    for (int i = 0; i < CHILDREN; i++) {
        snprintf(open_share[i], sizeof open_share[i], "%.2f", 0.53 + 0.01 * i);
        arguments[i][0] = python;
        arguments[i][1] = script;
        arguments[i][2] = open_share[i];
        arguments[i][3] = children;
        arguments[i][4] = NULL;
        commands[i].size = sizeof commands[i];
        commands[i].argv = arguments[i];
    }

    par_report report = {0};
    report.size = sizeof report;
    par_options options = PAR_OPTIONS_INIT;
    options.flags = PAR_RUN_SYNC;
    options.report = &report;

    par_status status = par_run(commands, outcomes, CHILDREN, &options);

    for (int i = 0; i < CHILDREN; i++) {
        fwrite(outcomes[i].out.data, 1, outcomes[i].out.len, stdout);
        fwrite(outcomes[i].err.data, 1, outcomes[i].err.len, stderr);
    }
    if (status != PAR_OK)
        printf("%s\n", report.message);
    printf("%zu children, %zu at once: %.1f s for %.1f s of work\n", report.done, report.workers,
           (double)report.wall_ns * 1e-9, (double)report.busy_ns * 1e-9);
    par_outcomes_free(outcomes, CHILDREN);
    return status == PAR_OK ? 0 : 1;
}
