/* The job log of par_run, what a second run makes of it, and the place where commands meet. */
#define _GNU_SOURCE
#include "command.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

static par_report report;
static const char *folder;

static void begin(void)
{
    folder = in_a_fresh_folder();
    setenv("PAR_JOBLOG", "log", 1);
}

static void end(void)
{
    unsetenv("PAR_JOBLOG");
    remove_folder(folder);
}

/* The lines of a file, without their ends. */
static size_t read_lines(const char *name, char lines[][400], size_t most)
{
    size_t n = 0;
    FILE *file = fopen(name, "r");
    CHECK(file != NULL);
    while (n < most && fgets(lines[n], 400, file)) {
        lines[n][strcspn(lines[n], "\n")] = '\0';
        n++;
    }
    fclose(file);
    return n;
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static int lines_of(const char *name)
{
    static char lines[100][400];
    return access(name, F_OK) == 0 ? (int)read_lines(name, lines, 100) : 0;
}

#define HEADER "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand"

static void each_command_that_ended_has_its_line(void)
{
    begin();
    const char *missing[] = {"./missing", "it's", "a\ttab\nand \\", NULL};
    par_options options = reporting_to(&report);
    par_command commands[5] = {shell("echo four"), shell("exit 3"), shell("kill -9 $$"), with_argv(missing), shell("cat >/dev/null; exec sleep 1000")};
    par_outcome outcomes[5];
    options.flags = PAR_KEEP_GOING;
    options.workers = 1;
    options.item_timeout_ms = 300;
    commands[4].input = "seven..";
    commands[4].input_len = 7;
    CHECK_EQUAL(par_run(commands, outcomes, 5, &options), PAR_EITEM);
    static char lines[10][400];
    CHECK_EQUAL(read_lines("log", lines, 10), 6);
    CHECK_EQUAL(strcmp(lines[0], HEADER), 0);
    const char *ends[] = {"\t0\t5\t0\t0\tsh -c 'echo four'", "\t0\t0\t3\t0\tsh -c 'exit 3'", "\t0\t0\t0\t9\tsh -c 'kill -9 $$'",
                          "\t0\t0\t127\t0\t./missing 'it'\\''s' $'a\\ttab\\nand \\\\'",
                          "\t7\t0\t-1\t0\tsh -c 'cat >/dev/null; exec sleep 1000'"};
    for (int i = 0; i < 5; i++) {
        int sequence, used = 0;
        double began, runtime;
        CHECK(sscanf(lines[i + 1], "%d\t:\t%lf\t%lf%n", &sequence, &began, &runtime, &used) == 3 && used > 0);
        CHECK_EQUAL(sequence, i + 1);
        CHECK(began > 1.6e9 && runtime >= 0 && runtime < 30);
        if (strcmp(lines[i + 1] + used, ends[i]) != 0)
            broken(__FILE__, __LINE__, "\"%s\" does not end with \"%s\"", lines[i + 1], ends[i]);
    }
    par_outcomes_free(outcomes, 5);
    end();
}

static void a_second_run_does_what_is_left(void)
{
    begin();
    par_options options = reporting_to(&report);
    par_command commands[3] = {shell("echo x >>ran0"), shell("echo x >>ran1; [ -e repaired ]"), shell("echo x >>ran2")};
    par_outcome outcomes[3];
    options.workers = 1;
    CHECK_EQUAL(par_run(commands, outcomes, 3, &options), PAR_EITEM);
    CHECK_ITEM(outcomes[2].item, PAR_ITEM_NOT_RUN, 0);
    write_file("repaired", "");
    CHECK_EQUAL(par_run(commands, outcomes, 3, &options), PAR_OK);
    CHECK_ITEM(outcomes[0].item, PAR_ITEM_OK, 0);
    CHECK_EQUAL(outcomes[0].attempts, 0);
    CHECK_EQUAL(outcomes[1].attempts, 1);
    CHECK_EQUAL(report.done, 3);
    CHECK_EQUAL(par_run(commands, outcomes, 3, &options), PAR_OK);
    CHECK_EQUAL(lines_of("ran0"), 1);
    CHECK_EQUAL(lines_of("ran1"), 2);
    CHECK_EQUAL(lines_of("ran2"), 1);
    end();
}

static void a_command_that_has_changed_is_run_again(void)
{
    begin();
    par_command before = shell("echo x >>before"), after = shell("echo x >>after");
    CHECK_ITEM(run_one(before, NULL).item, PAR_ITEM_OK, 0);
    CHECK_ITEM(run_one(after, NULL).item, PAR_ITEM_OK, 0);
    CHECK_EQUAL(lines_of("after"), 1);
    /* Its line is the last about command 1. */
    CHECK_ITEM(run_one(after, NULL).item, PAR_ITEM_OK, 0);
    CHECK_EQUAL(lines_of("after"), 1);
    end();
}

static void a_log_whose_host_died_amid_a_line_is_taken_up(void)
{
    begin();
    static char lines[10][400];
    write_file("log", HEADER "\n1\t:\t1.0\t     0.001\t0\t0\t0\t0\tsh -c 'echo x >>ran0'\n2\t:\t1.0\t   0.0");
    par_command commands[2] = {shell("echo x >>ran0"), shell("echo x >>ran1")};
    par_outcome outcomes[2];
    CHECK_EQUAL(par_run(commands, outcomes, 2, NULL), PAR_OK);
    CHECK_EQUAL(lines_of("ran0"), 0);
    CHECK_EQUAL(lines_of("ran1"), 1);
    CHECK_EQUAL(read_lines("log", lines, 10), 4);
    CHECK_EQUAL(strncmp(lines[3], "2\t:\t", 4), 0);
    end();
}

static void a_file_that_is_no_job_log_is_left_alone(void)
{
    begin();
    par_options options = reporting_to(&report);
    par_command command = shell("exit 0");
    par_outcome outcome;
    static char lines[10][400];
    write_file("log", "a letter\n");
    CHECK_EQUAL(par_run(&command, &outcome, 1, &options), PAR_EINVAL);
    CHECK_TEXT(report.message, "par_run: the environment's PAR_JOBLOG is 'log', which holds something else: name a new file, or a job log");
    CHECK_EQUAL(read_lines("log", lines, 10), 1);
    setenv("PAR_JOBLOG", "/no/such/folder/log", 1);
    CHECK_EQUAL(par_run(&command, &outcome, 1, &options), PAR_ESYS);
    CHECK_EQUAL(report.os_error, ENOENT);
    CHECK_TEXT(report.message, "par_run: the environment's PAR_JOBLOG is '/no/such/folder/log': No such file or directory");
    end();
}

static void a_log_that_is_full_is_told_and_stops_nothing(void)
{
    begin();
    struct rlimit few = {100, 100};
    par_options options = reporting_to(&report);
    par_command commands[2] = {shell("exit 0"), shell("exit 0")};
    par_outcome outcomes[2];
    signal(SIGXFSZ, SIG_IGN);
    CHECK_EQUAL(setrlimit(RLIMIT_FSIZE, &few), 0);
    CHECK_EQUAL(par_run(commands, outcomes, 2, &options), PAR_OK);
    CHECK_EQUAL(report.done, 2);
    CHECK_TEXT(report.message, "par_run: PAR_JOBLOG is not complete: ");
    setenv("PAR_JOBLOG", "/dev/full", 1); /* which can be read without end, and not written */
    CHECK_EQUAL(par_run(commands, outcomes, 2, &options), PAR_ESYS);
    CHECK_EQUAL(report.os_error, ENOSPC);
    end();
}

/* ---- where commands meet -------------------------------------------------------------------------------------------- */

#define CHILD "PAR_TEST_CHILD"

/* What the commands below do: each adds its number, they wait for one another, then each sees the sum. */
static void meet(void)
{
    par_sync *sync;
    int64_t sum = 0;
    par_bytes value = {NULL, 0};
    CHECK_EQUAL(par_sync_open(&sync, NULL), PAR_OK);
    CHECK_EQUAL(par_sync_add(sync, "sum", strtol(getenv(CHILD), NULL, 10), &sum), PAR_OK);
    CHECK_EQUAL(par_sync_barrier(sync, "all", 4, 30000), PAR_OK);
    CHECK_EQUAL(par_sync_add(sync, "sum", 0, &sum), PAR_OK);
    printf("%d %s\n", (int)sum, getenv("PAR_SYNC_URL"));
    par_bytes_free(&value, 1);
    par_sync_close(sync);
}

static void commands_meet_at_a_place_that_is_gone_afterwards(void)
{
    if (getenv(CHILD)) {
        meet();
        return;
    }
    const char *argv[] = {"/proc/self/exe", "commands_meet_at_a_place_that_is_gone_afterwards", NULL};
    static const char *const envs[4][2] = {{CHILD "=1", NULL}, {CHILD "=10", NULL}, {CHILD "=100", NULL}, {CHILD "=1000", NULL}};
    par_options options = reporting_to(&report);
    par_command commands[4];
    par_outcome outcomes[4];
    char path[200] = "";
    options.flags = PAR_RUN_SYNC;
    options.workers = 4;
    for (int i = 0; i < 4; i++) {
        commands[i] = with_argv(argv);
        commands[i].env = envs[i];
    }
    CHECK_EQUAL(par_run(commands, outcomes, 4, &options), PAR_OK);
    for (int i = 0; i < 4; i++) {
        int sum = 0;
        char text[200] = "";
        CHECK(outcomes[i].out.len < sizeof text);
        memcpy(text, outcomes[i].out.data, outcomes[i].out.len);
        CHECK_EQUAL(sscanf(text, "%d unix://%150s", &sum, path), 2);
        CHECK_EQUAL(sum, 1111);
    }
    CHECK(path[0] == '/' && access(path, F_OK) != 0);
    *strrchr(path, '/') = '\0';
    CHECK(access(path, F_OK) != 0); /* nor its folder */
    CHECK(getenv("PAR_SYNC_URL") == NULL);
    par_outcomes_free(outcomes, 4);
}

static void a_host_with_a_meeting_point_passes_it_on(void)
{
    setenv("PAR_SYNC_URL", "redis://somewhere:1/2", 1);
    par_options options = reporting_to(&report);
    options.flags = PAR_RUN_SYNC;
    par_outcome outcome = run_one(shell("echo $PAR_SYNC_URL"), &options);
    CHECK_BYTES(outcome.out, "redis://somewhere:1/2\n");
    par_outcomes_free(&outcome, 1);
}

const promise promises[] = {
    PROMISE(each_command_that_ended_has_its_line),
    PROMISE(a_second_run_does_what_is_left),
    PROMISE(a_command_that_has_changed_is_run_again),
    PROMISE(a_log_whose_host_died_amid_a_line_is_taken_up),
    PROMISE(a_file_that_is_no_job_log_is_left_alone),
    PROMISE(a_log_that_is_full_is_told_and_stops_nothing),
    PROMISE(commands_meet_at_a_place_that_is_gone_afterwards),
    PROMISE(a_host_with_a_meeting_point_passes_it_on),
    {NULL, NULL},
};
