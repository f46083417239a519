/* Runs a command that finds a meeting point in its environment: with_sync COMMAND ARGUMENT... */
#include <parmap.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    par_command command = {sizeof(par_command), NULL, NULL, NULL, NULL, 0, 0, 0};
    par_report report = {sizeof(par_report), 0, 0, 0, {0, 0}, 0, 0, 0, 0, 0, ""};
    par_options options = PAR_OPTIONS_INIT;
    par_outcome outcome;
    par_status status;

    command.argv = (const char *const *)argv + 1;
    options.flags = PAR_RUN_SYNC | PAR_RUN_INHERIT;
    options.report = &report;
    status = par_run(&command, &outcome, argc > 1, &options);
    if (status != PAR_OK && outcome.item.state != PAR_ITEM_EXITED)
        fprintf(stderr, "%s\n", report.message);
    return status == PAR_OK ? 0 : outcome.item.state == PAR_ITEM_EXITED ? outcome.item.code : 1;
}
