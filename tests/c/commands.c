/* What par_run gives to commands, and what it brings back. */
#define _GNU_SOURCE
#include "command.h"

#include <signal.h>

static par_report report;

static void a_command_that_exits_with_0_is_ok(void)
{
    par_options options = reporting_to(&report);
    par_command command = shell("exit 0");
    par_outcome outcome;
    par_item item;
    options.items = &item;
    CHECK_EQUAL(par_run(&command, &outcome, 1, &options), PAR_OK);
    CHECK_ITEM(outcome.item, PAR_ITEM_OK, 0);
    CHECK_ITEM(item, PAR_ITEM_OK, 0);
    CHECK_EQUAL(outcome.attempts, 1);
    CHECK(outcome.wall_ns > 0 && outcome.max_rss > 0);
    CHECK(outcome.out.data == NULL && outcome.out.len == 0 && outcome.err.data == NULL && outcome.err.len == 0);
    CHECK_EQUAL(report.done, 1);
    CHECK_EQUAL(report.failed, 0);
    CHECK_EQUAL(report.first_failed, SIZE_MAX);
    CHECK_EQUAL(report.workers, 1);
    CHECK(report.wall_ns >= outcome.wall_ns && report.busy_ns >= outcome.wall_ns);
    CHECK_EQUAL(report.message[0], 0);
    par_outcomes_free(&outcome, 1);
    par_outcomes_free(&outcome, 1);
    par_outcomes_free(NULL, 1);
}

static void exit_codes_and_signals_are_told_apart(void)
{
    par_options options = reporting_to(&report);
    par_command commands[] = {shell("exit 0"), shell("exit 137"), shell("kill -9 $$"), shell("exit 255"), shell("kill -SEGV $$")};
    par_outcome outcomes[5];
    options.flags = PAR_KEEP_GOING;
    CHECK_EQUAL(par_run(commands, outcomes, 5, &options), PAR_EITEM);
    CHECK_ITEM(outcomes[0].item, PAR_ITEM_OK, 0);
    CHECK_ITEM(outcomes[1].item, PAR_ITEM_EXITED, 137);
    CHECK_ITEM(outcomes[2].item, PAR_ITEM_SIGNALED, SIGKILL);
    CHECK_ITEM(outcomes[3].item, PAR_ITEM_EXITED, 255);
    CHECK_ITEM(outcomes[4].item, PAR_ITEM_SIGNALED, SIGSEGV);
    CHECK_EQUAL(report.done, 5);
    CHECK_EQUAL(report.failed, 4);
    CHECK_EQUAL(report.first_failed, 1);
    CHECK_ITEM(report.first, PAR_ITEM_EXITED, 137);
    CHECK_TEXT(report.message, "par_run: command 1 ended with exit code 137; 4 of 5 commands failed, 0 did not run");
    par_outcomes_free(outcomes, 5);
}

static void output_comes_back_whole_and_apart_by_index(void)
{
    enum { N = 60 };
    static char scripts[N][160];
    par_command commands[N];
    par_outcome outcomes[N];
    par_options options = PAR_OPTIONS_INIT;
    options.workers = 7;
    for (int i = 0; i < N; i++) {
        sprintf(scripts[i], "for k in 1 2 3 4 5; do echo out %d; echo err %d >&2; done", i, i);
        commands[i] = shell(scripts[i]);
    }
    CHECK_EQUAL(par_run(commands, outcomes, N, &options), PAR_OK);
    for (int i = 0; i < N; i++) {
        char out[128], err[128];
        sprintf(out, "out %d\nout %d\nout %d\nout %d\nout %d\n", i, i, i, i, i);
        sprintf(err, "err %d\nerr %d\nerr %d\nerr %d\nerr %d\n", i, i, i, i, i);
        CHECK_BYTES(outcomes[i].out, out);
        CHECK_BYTES(outcomes[i].err, err);
    }
    par_outcomes_free(outcomes, N);
    CHECK(outcomes[0].out.data == NULL && outcomes[N - 1].err.len == 0);
}

static void binary_output_and_output_without_newline_come_back_as_they_are(void)
{
    par_outcome binary = run_one(shell("printf 'a\\000b\\377\\n\\000'"), NULL);
    par_outcome open_line = run_one(shell("printf 'no newline'"), NULL);
    check_bytes(binary.out, "a\0b\377\n\0", 6);
    CHECK_BYTES(open_line.out, "no newline");
    par_outcomes_free(&binary, 1);
    par_outcomes_free(&open_line, 1);
}

/* Beyond a megabyte it is a mapped file, and just as good. */
static void output_of_any_length_is_kept(void)
{
    const size_t lengths[] = {1, 65536, 65537, 1048576, 1048577, 9000000};
    for (size_t k = 0; k < 6; k++) {
        char script[120];
        sprintf(script, "head -c %zu /dev/zero | tr '\\0' x; head -c %zu /dev/zero | tr '\\0' y >&2", lengths[k], lengths[5 - k]);
        par_outcome outcome = run_one(shell(script), NULL);
        CHECK_ITEM(outcome.item, PAR_ITEM_OK, 0);
        CHECK_EQUAL(outcome.out.len, lengths[k]);
        CHECK_EQUAL(outcome.err.len, lengths[5 - k]);
        for (size_t i = 0; i < outcome.out.len; i++)
            CHECK(((char *)outcome.out.data)[i] == 'x');
        for (size_t i = 0; i < outcome.err.len; i++)
            CHECK(((char *)outcome.err.data)[i] == 'y');
        *(char *)outcome.out.data = 'z'; /* it is the caller's */
        par_outcomes_free(&outcome, 1);
    }
}

static void input_reaches_the_command(void)
{
    enum { LEN = 3000000 };
    const char *cat[] = {"cat", NULL};
    char *bytes = malloc(LEN);
    CHECK(bytes != NULL);
    for (size_t i = 0; i < LEN; i++)
        bytes[i] = (char)(i * 7 % 251);
    const size_t lengths[] = {0, 1, 65536, 65537, LEN};
    for (size_t k = 0; k < 5; k++) {
        par_command command = with_argv(cat);
        command.input = bytes;
        command.input_len = lengths[k];
        par_outcome outcome = run_one(command, NULL);
        CHECK_ITEM(outcome.item, PAR_ITEM_OK, 0);
        check_bytes(outcome.out, bytes, lengths[k]);
        par_outcomes_free(&outcome, 1);
    }
    free(bytes);
}

static void a_command_need_not_read_its_input(void)
{
    enum { LEN = 1000000 };
    char *bytes = calloc(LEN, 1);
    par_command command = shell("exec 0<&-; echo closed; sleep 0.1");
    command.input = bytes;
    command.input_len = LEN;
    par_outcome outcome = run_one(command, NULL);
    CHECK_ITEM(outcome.item, PAR_ITEM_OK, 0);
    CHECK_BYTES(outcome.out, "closed\n");
    par_outcomes_free(&outcome, 1);
    sigset_t pending;
    sigpending(&pending);
    CHECK(!sigismember(&pending, SIGPIPE));
    free(bytes);
}

static void without_input_a_command_reads_dev_null(void)
{
    par_outcome outcome = run_one(shell("readlink /proc/self/fd/0; cat"), NULL);
    CHECK_BYTES(outcome.out, "/dev/null\n");
    par_outcomes_free(&outcome, 1);
}

static void the_environment_is_the_hosts_or_its_own(void)
{
    const char *const own[] = {"ONLY=this", NULL};
    const char *env[] = {"env", NULL};
    par_command command = with_argv(env);
    setenv("SEEN", "by the child", 1);
    setenv("PAR_JOBLOG", "", 1);
    unsetenv("PAR_SYNC_URL");
    par_outcome hosts = run_one(shell("echo $SEEN ${PAR_JOBLOG-unset}"), NULL);
    CHECK_BYTES(hosts.out, "by the child unset\n");
    command.env = own;
    par_outcome owns = run_one(command, NULL);
    CHECK_BYTES(owns.out, "ONLY=this\n");
    setenv("PAR_SYNC_URL", "unix:///somewhere", 1);
    par_outcome added = run_one(command, NULL);
    CHECK_BYTES(added.out, "ONLY=this\nPAR_SYNC_URL=unix:///somewhere\n");
    par_outcomes_free(&hosts, 1);
    par_outcomes_free(&owns, 1);
    par_outcomes_free(&added, 1);
}

static void a_command_starts_in_its_folder(void)
{
    par_command command = shell("pwd");
    command.dir = "/proc/self/..";
    par_outcome outcome = run_one(command, NULL);
    CHECK_BYTES(outcome.out, "/proc\n");
    par_outcomes_free(&outcome, 1);
}

static void arguments_reach_the_program_as_they_are(void)
{
    const char *argv[] = {"printf", "%s|", "", "two words", "$HOME `id` \"'\\", "*", "\xff\n", NULL};
    par_outcome outcome = run_one(with_argv(argv), NULL);
    CHECK_BYTES(outcome.out, "|two words|$HOME `id` \"'\\|*|\xff\n|");
    par_outcomes_free(&outcome, 1);
}

static void a_program_is_looked_up_in_the_path_of_the_host(void)
{
    const char *folder = in_a_fresh_folder();
    const char *const poor[] = {"PATH=/nowhere", NULL};
    const char *argv[] = {"greet", NULL};
    par_outcome outcome = run_one(shell("printf '#!/bin/sh\\necho hello\\n' >greet; chmod +x greet; mkdir sub; mkdir sub/greet"), NULL);
    CHECK_EQUAL(outcome.item.state, PAR_ITEM_OK);
    char path[200];
    sprintf(path, "/nowhere:%s/sub:%s:/usr/bin:/bin", folder, folder);
    setenv("PATH", path, 1);
    par_command commands[3] = {with_argv(argv), with_argv(argv), with_argv(argv)};
    par_outcome outcomes[3];
    commands[1].env = poor;
    CHECK_EQUAL(par_run(commands, outcomes, 3, NULL), PAR_OK);
    for (int i = 0; i < 3; i++)
        CHECK_BYTES(outcomes[i].out, "hello\n");
    par_outcomes_free(outcomes, 3);
    remove_folder(folder);
}

static void inherited_output_goes_where_the_hosts_goes(void)
{
    int ends[2];
    char text[64] = "";
    par_options options = PAR_OPTIONS_INIT;
    options.flags = PAR_RUN_INHERIT;
    CHECK_EQUAL(pipe(ends), 0);
    CHECK(dup2(ends[1], 1) == 1 && dup2(ends[1], 2) == 2);
    par_outcome outcome = run_one(shell("echo out; echo err >&2"), &options);
    CHECK_ITEM(outcome.item, PAR_ITEM_OK, 0);
    CHECK_EQUAL(outcome.out.len + outcome.err.len, 0);
    CHECK_EQUAL(read(ends[0], text, sizeof text), 8);
    CHECK_EQUAL(strcmp(text, "out\nerr\n"), 0);
}

static void commands_run_at_once_and_no_more_than_workers(void)
{
    const char *folder = in_a_fresh_folder();
    par_options options = reporting_to(&report);
    par_command commands[9];
    par_outcome outcomes[9];
    /* Each waits for two more, in a room that holds three. */
    const char *script = "d=$((i / 3)); mkdir -p $d; touch $d/$i; while [ $(ls $d | wc -l) -lt 3 ]; do sleep 0.01; done;"
                         "touch in.$$; ls in.* | wc -l; sleep 0.05; rm in.$$";
    static char texts[9][300];
    for (int i = 0; i < 9; i++) {
        sprintf(texts[i], "i=%d; %s", i, script);
        commands[i] = shell(texts[i]);
    }
    options.workers = 3;
    CHECK_EQUAL(par_run(commands, outcomes, 9, &options), PAR_OK);
    CHECK_EQUAL(report.workers, 3);
    for (int i = 0; i < 9; i++)
        CHECK(number(outcomes[i].out) <= 3);
    par_outcomes_free(outcomes, 9);
    remove_folder(folder);
}

static int polls;
static int count_polls(const par_progress *progress, void *ctx)
{
    (void)ctx;
    CHECK_EQUAL(progress->n, 0);
    polls++;
    return 0;
}

static void no_commands_are_fine(void)
{
    par_options options = reporting_to(&report);
    options.poll = count_polls;
    CHECK_EQUAL(par_run(NULL, NULL, 0, &options), PAR_OK);
    CHECK_EQUAL(polls, 1);
    CHECK_EQUAL(report.done, 0);
    CHECK_EQUAL(report.workers, 0);
    CHECK_EQUAL(par_run(NULL, NULL, 0, NULL), PAR_OK);
}

static void commands_of_older_and_newer_programs_work(void)
{
    struct {
        size_t size;
        const char *const *argv;
    } old[2] = {{sizeof old[0], sh("echo old 0")}, {sizeof old[0], sh("echo old 1")}};
    struct {
        par_command known;
        uint64_t more;
    } newer[2] = {{shell("echo new 0"), 0}, {shell("echo new 1"), 0}};
    par_options options = reporting_to(&report);
    par_outcome outcomes[2];
    CHECK_EQUAL(par_run((const par_command *)(void *)old, outcomes, 2, &options), PAR_OK);
    CHECK_BYTES(outcomes[1].out, "old 1\n");
    par_outcomes_free(outcomes, 2);
    newer[0].known.size = newer[1].known.size = sizeof newer[0];
    CHECK_EQUAL(par_run(&newer[0].known, outcomes, 2, &options), PAR_OK);
    CHECK_BYTES(outcomes[1].out, "new 1\n");
    par_outcomes_free(outcomes, 2);
    newer[1].more = 1;
    CHECK_EQUAL(par_run(&newer[0].known, outcomes, 2, &options), PAR_EINVAL);
    CHECK_TEXT(report.message, "par_run: command 1: a byte at offset 56 is not zero");
}

static void cpu_time_and_memory_of_a_command_are_told(void)
{
    par_outcome outcome = run_one(shell("head -c 80000000 /dev/zero | tail -c 79000000 >/dev/null"), NULL);
    CHECK_ITEM(outcome.item, PAR_ITEM_OK, 0);
    CHECK(outcome.cpu_ns > 0);
    CHECK(outcome.max_rss > 70000000);
    par_outcomes_free(&outcome, 1);
}

const promise promises[] = {
    PROMISE(a_command_that_exits_with_0_is_ok),
    PROMISE(exit_codes_and_signals_are_told_apart),
    PROMISE(output_comes_back_whole_and_apart_by_index),
    PROMISE(binary_output_and_output_without_newline_come_back_as_they_are),
    PROMISE(output_of_any_length_is_kept),
    PROMISE(input_reaches_the_command),
    PROMISE(a_command_need_not_read_its_input),
    PROMISE(without_input_a_command_reads_dev_null),
    PROMISE(the_environment_is_the_hosts_or_its_own),
    PROMISE(a_command_starts_in_its_folder),
    PROMISE(arguments_reach_the_program_as_they_are),
    PROMISE(a_program_is_looked_up_in_the_path_of_the_host),
    PROMISE(inherited_output_goes_where_the_hosts_goes),
    PROMISE(commands_run_at_once_and_no_more_than_workers),
    PROMISE(no_commands_are_fine),
    PROMISE(commands_of_older_and_newer_programs_work),
    PROMISE(cpu_time_and_memory_of_a_command_are_told),
    {NULL, NULL},
};
