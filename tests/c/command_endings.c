/* How commands end: by themselves, by a deadline, by a cancel, with what they leave behind; and how often they are tried. */
#define _GNU_SOURCE
#include "command.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/time.h>

static par_report report;
static volatile int stop;

static par_options reporting(void)
{
    return reporting_to(&report);
}

#define SECONDS(outcome) ((double)(outcome).wall_ns * 1e-9)

static void a_command_beyond_its_timeout_is_ended_with_its_group(void)
{
    par_options options = reporting();
    options.item_timeout_ms = 200;
    par_outcome outcome = run_one(shell("sleep 1000 & echo $!; wait"), &options);
    CHECK_ITEM(outcome.item, PAR_ITEM_TIMED_OUT, 0);
    CHECK_TEXT(report.message, "par_run: command 0 ran beyond item_timeout_ms of 200");
    CHECK(SECONDS(outcome) >= 0.2 && SECONDS(outcome) < 30);
    check_gone_soon(number(outcome.out));
    par_outcomes_free(&outcome, 1);
}

static void a_command_that_ignores_term_is_killed_after_two_seconds(void)
{
    par_options options = reporting();
    options.item_timeout_ms = 100;
    par_outcome outcome = run_one(shell("trap '' TERM; echo deaf; while :; do sleep 1000; done"), &options);
    CHECK_ITEM(outcome.item, PAR_ITEM_TIMED_OUT, 0);
    CHECK(SECONDS(outcome) >= 2.1 && SECONDS(outcome) < 30);
    CHECK_BYTES(outcome.out, "deaf\n");
    par_outcomes_free(&outcome, 1);
}

static void a_command_can_use_the_two_seconds_to_say_goodbye(void)
{
    par_options options = reporting();
    options.item_timeout_ms = 200;
    par_outcome outcome = run_one(shell("trap 'sleep 0.3; echo bye; exit 0' TERM; echo hello; sleep 1000 & wait"), &options);
    CHECK_ITEM(outcome.item, PAR_ITEM_TIMED_OUT, 0);
    CHECK_BYTES(outcome.out, "hello\nbye\n");
    par_outcomes_free(&outcome, 1);
}

/* A shell dies of TERM at once; the program that it waits for has its time all the same. */
static void others_of_the_group_have_the_two_seconds_too(void)
{
    par_options options = reporting();
    options.item_timeout_ms = 300;
    par_outcome outcome =
        run_one(shell("sh -c 'trap \"sleep 0.3; echo tidied up; exit\" TERM; while :; do sleep 0.05; done'; true"), &options);
    CHECK_ITEM(outcome.item, PAR_ITEM_TIMED_OUT, 0);
    CHECK_BYTES(outcome.out, "tidied up\n");
    par_outcomes_free(&outcome, 1);
}

/* The host takes over what loses its parent, and reaps nobody: as the first process of many a container does. */
static void what_has_died_and_is_not_reaped_is_not_waited_for(void)
{
    par_options options = reporting();
    par_command commands[3] = {shell("sleep 1000; true"), shell("sleep 1000; true"), shell("sleep 1000; true")};
    par_outcome outcomes[3];
    options.item_timeout_ms = 100;
    options.workers = 1;
    options.flags = PAR_KEEP_GOING;
    CHECK_EQUAL(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
    CHECK_EQUAL(par_run(commands, outcomes, 3, &options), PAR_EITEM);
    for (int i = 0; i < 3; i++)
        CHECK_ITEM(outcomes[i].item, PAR_ITEM_TIMED_OUT, 0);
    CHECK(report.wall_ns < 6000000000u); /* each has two seconds if it wants them */
    par_outcomes_free(outcomes, 3);
}

static void a_stopped_command_is_ended_too(void)
{
    par_options options = reporting();
    options.item_timeout_ms = 200;
    par_outcome outcome = run_one(shell("trap 'echo asked; exit' TERM; kill -STOP $$"), &options);
    CHECK_ITEM(outcome.item, PAR_ITEM_TIMED_OUT, 0);
    CHECK_BYTES(outcome.out, "asked\n");
    par_outcomes_free(&outcome, 1);
}

static void the_deadline_of_the_call_ends_what_runs_and_starts_no_more(void)
{
    par_options options = reporting();
    par_command commands[4] = {shell("exit 0"), shell("sleep 1000"), shell("sleep 1000"), shell("exit 0")};
    par_outcome outcomes[4];
    options.workers = 2;
    options.timeout_ms = 300;
    CHECK_EQUAL(par_run(commands, outcomes, 4, &options), PAR_ETIMEDOUT);
    CHECK_ITEM(outcomes[0].item, PAR_ITEM_OK, 0);
    CHECK_ITEM(outcomes[1].item, PAR_ITEM_TIMED_OUT, 0);
    CHECK_ITEM(outcomes[2].item, PAR_ITEM_TIMED_OUT, 0);
    CHECK_ITEM(outcomes[3].item, PAR_ITEM_NOT_RUN, 0);
    CHECK_EQUAL(report.done, 3);
    CHECK_EQUAL(report.failed, 2);
    CHECK_EQUAL(report.first_failed, 1);
    CHECK_TEXT(report.message, "par_run: timeout_ms of 300 passed: 1 of 4 commands succeeded, 2 failed or were ended, 1 did not run");
    par_outcomes_free(outcomes, 4);
}

/* Holds up the call, while it still starts commands, until the first has ended and the deadline has passed. */
static int take_long(const par_progress *progress, void *ctx)
{
    FILE *file = NULL;
    long pid = 0;
    (void)ctx;
    if (progress->done > 0)
        return 0;
    while (!(file = fopen("pid", "r")))
        sleep_ms(1);
    CHECK_EQUAL(fscanf(file, "%ld", &pid), 1);
    fclose(file);
    check_gone_soon(pid);
    sleep_ms(400);
    return 0;
}

static void a_command_that_ended_in_time_has_not_timed_out_though_it_is_seen_late(void)
{
    enum { N = 100 };
    const char *folder = in_a_fresh_folder();
    par_options options = reporting();
    par_command commands[N];
    par_outcome outcomes[N];
    options.timeout_ms = 400;
    options.poll = take_long;
    options.poll_ms = 1;
    options.workers = N;
    commands[0] = shell("echo $$ >new; mv new pid; exit 0");
    for (int i = 1; i < N; i++)
        commands[i] = shell("exit 0");
    (void)par_run(commands, outcomes, N, &options);
    CHECK_ITEM(outcomes[0].item, PAR_ITEM_OK, 0);
    par_outcomes_free(outcomes, N);
    remove_folder(folder);
}

static void *stop_soon(void *ctx)
{
    (void)ctx;
    sleep_ms(200);
    stop = 1;
    return NULL;
}

static void the_cancel_flag_ends_what_runs(void)
{
    pthread_t thread;
    par_options options = reporting();
    par_command commands[3] = {shell("exec sleep 1000"), shell("trap 'exit 9' TERM; sleep 1000 & wait"), shell("exit 0")};
    par_outcome outcomes[3];
    options.workers = 2;
    options.cancel = &stop;
    CHECK_EQUAL(pthread_create(&thread, NULL, stop_soon, NULL), 0);
    CHECK_EQUAL(par_run(commands, outcomes, 3, &options), PAR_ECANCELED);
    CHECK_ITEM(outcomes[0].item, PAR_ITEM_SIGNALED, SIGTERM);
    CHECK_ITEM(outcomes[1].item, PAR_ITEM_EXITED, 9);
    CHECK_ITEM(outcomes[2].item, PAR_ITEM_NOT_RUN, 0);
    CHECK_TEXT(report.message, "par_run: stopped by the cancel flag: 0 of 3 commands succeeded, 2 failed or were ended, 1 did not run");
    CHECK_EQUAL(pthread_join(thread, NULL), 0);
    par_outcomes_free(outcomes, 3);
}

static void on_alarm(int signal_number)
{
    (void)signal_number;
    stop = 1;
}

static void a_signal_handler_can_cancel(void)
{
    struct sigaction action = {0};
    par_options options = reporting();
    options.cancel = &stop;
    action.sa_handler = on_alarm;
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 200000}}, NULL);
    par_outcome outcome = run_one(shell("exec sleep 1000"), &options);
    CHECK_ITEM(outcome.item, PAR_ITEM_SIGNALED, SIGTERM);
    CHECK(SECONDS(outcome) < 30);
    par_outcomes_free(&outcome, 1);
}

static void a_call_canceled_before_it_begins_starts_nothing(void)
{
    par_options options = reporting();
    par_command command = shell("exit 0");
    par_outcome outcome;
    stop = 1;
    options.cancel = &stop;
    CHECK_EQUAL(par_run(&command, &outcome, 1, &options), PAR_ECANCELED);
    CHECK_ITEM(outcome.item, PAR_ITEM_NOT_RUN, 0);
    CHECK_EQUAL(outcome.attempts, 0);
    CHECK_EQUAL(par_run(&command, &outcome, 0, &options), PAR_OK);
}

typedef struct watch {
    pthread_t caller;
    par_progress last;
    int calls, no_from;
} watch;

static int look(const par_progress *progress, void *ctx)
{
    watch *w = ctx;
    CHECK(pthread_equal(pthread_self(), w->caller));
    CHECK(progress->done >= w->last.done && progress->failed >= w->last.failed && progress->elapsed_ns >= w->last.elapsed_ns);
    w->last = *progress;
    w->calls++;
    return w->no_from > 0 && w->calls >= w->no_from;
}

static void poll_sees_every_step_on_the_calling_thread(void)
{
    watch w = {pthread_self(), {0}, 0, 0};
    par_options options = reporting();
    par_command commands[6] = {shell("sleep 0.3"), shell("exit 1"), shell("exit 0"), shell("exit 2"), shell("exit 0"), shell("exit 0")};
    par_outcome outcomes[6];
    options.poll = look;
    options.poll_ctx = &w;
    options.poll_ms = 10;
    options.flags = PAR_KEEP_GOING;
    CHECK_EQUAL(par_run(commands, outcomes, 6, &options), PAR_EITEM);
    CHECK(w.calls >= 10);
    CHECK_EQUAL(w.last.n, 6);
    CHECK_EQUAL(w.last.done, 6);
    CHECK_EQUAL(w.last.failed, 2);
    par_outcomes_free(outcomes, 6);
}

static void a_poll_that_says_no_ends_what_runs(void)
{
    watch w = {pthread_self(), {0}, 0, 3};
    par_options options = reporting();
    options.poll = look;
    options.poll_ctx = &w;
    options.poll_ms = 20;
    par_outcome outcome = run_one(shell("exec sleep 1000"), &options);
    CHECK_ITEM(outcome.item, PAR_ITEM_SIGNALED, SIGTERM);
    CHECK_TEXT(report.message, "par_run: stopped by poll: 0 of 1 commands succeeded, 1 failed or were ended, 0 did not run");
    par_outcomes_free(&outcome, 1);
}

static void the_first_failure_stops_new_commands_and_lets_the_others_end(void)
{
    par_options options = reporting();
    par_command commands[4] = {shell("sleep 0.3; echo done"), shell("exit 5"), shell("exit 0"), shell("exit 0")};
    par_outcome outcomes[4];
    options.workers = 2;
    CHECK_EQUAL(par_run(commands, outcomes, 4, &options), PAR_EITEM);
    CHECK_BYTES(outcomes[0].out, "done\n");
    CHECK_ITEM(outcomes[1].item, PAR_ITEM_EXITED, 5);
    CHECK_ITEM(outcomes[2].item, PAR_ITEM_NOT_RUN, 0);
    CHECK_ITEM(outcomes[3].item, PAR_ITEM_NOT_RUN, 0);
    CHECK_TEXT(report.message, "par_run: command 1 ended with exit code 5; 1 of 4 commands failed, 2 did not run");
    par_outcomes_free(outcomes, 4);
}

static void with_keep_going_all_commands_run(void)
{
    enum { N = 40 };
    par_options options = reporting();
    par_command commands[N];
    par_outcome outcomes[N];
    options.flags = PAR_KEEP_GOING;
    for (int i = 0; i < N; i++)
        commands[i] = shell(i % 3 ? "exit 0" : "exit 3");
    CHECK_EQUAL(par_run(commands, outcomes, N, &options), PAR_EITEM);
    for (int i = 0; i < N; i++)
        CHECK_ITEM(outcomes[i].item, i % 3 ? PAR_ITEM_OK : PAR_ITEM_EXITED, i % 3 ? 0 : 3);
    CHECK_EQUAL(report.failed, 14);
    CHECK_EQUAL(report.first_failed, 0);
    par_outcomes_free(outcomes, N);
}

static void what_a_command_leaves_behind_in_its_group_is_killed(void)
{
    par_outcome outcome = run_one(shell("sleep 1000 & echo $!"), NULL);
    CHECK_ITEM(outcome.item, PAR_ITEM_OK, 0);
    CHECK(SECONDS(outcome) < 30);
    check_gone_soon(number(outcome.out));
    par_outcomes_free(&outcome, 1);
}

static void a_grandchild_that_holds_the_pipes_cannot_hold_up_the_call(void)
{
    par_outcome outcome = run_one(shell("setsid sh -c 'echo $$ >&2; exec sleep 1000' & sleep 0.3; echo out"), NULL);
    CHECK_ITEM(outcome.item, PAR_ITEM_OK, 0);
    CHECK(SECONDS(outcome) < 30);
    CHECK_BYTES(outcome.out, "out\n");
    long pid = number(outcome.err);
    CHECK(pid > 1 && !is_gone(pid)); /* it has left the group, so it is let go */
    kill((pid_t)pid, SIGKILL);
    par_outcomes_free(&outcome, 1);
}

static void a_grandchild_that_writes_for_ever_cannot_hold_up_the_call(void)
{
    par_outcome outcome = run_one(shell("setsid yes & sleep 0.2; echo $! >&2"), NULL);
    CHECK_ITEM(outcome.item, PAR_ITEM_OK, 0);
    CHECK(outcome.out.len > 0);
    check_gone_soon(number(outcome.err)); /* nobody listens to it any more */
    par_outcomes_free(&outcome, 1);
}

static void a_command_that_closes_its_output_and_goes_on_is_waited_for(void)
{
    par_outcome outcome = run_one(shell("echo said; exec >&- 2>&-; sleep 0.3; exit 4"), NULL);
    CHECK_ITEM(outcome.item, PAR_ITEM_EXITED, 4);
    CHECK_BYTES(outcome.out, "said\n");
    CHECK(SECONDS(outcome) >= 0.3);
    CHECK(outcome.cpu_ns < 200000000u);
    par_outcomes_free(&outcome, 1);
}

static void a_command_is_tried_again_as_often_as_it_says(void)
{
    const char *folder = in_a_fresh_folder();
    par_options options = reporting();
    par_command commands[3] = {shell("echo x >>tries; n=$(wc -l <tries); echo try $n; [ $n = 3 ]"), shell("exit 6"), shell("exit 0")};
    par_outcome outcomes[3];
    commands[0].retries = 5;
    commands[1].retries = 2;
    commands[2].retries = 9;
    options.flags = PAR_KEEP_GOING;
    CHECK_EQUAL(par_run(commands, outcomes, 3, &options), PAR_EITEM);
    CHECK_ITEM(outcomes[0].item, PAR_ITEM_OK, 0);
    CHECK_EQUAL(outcomes[0].attempts, 3);
    CHECK_BYTES(outcomes[0].out, "try 3\n");
    CHECK_ITEM(outcomes[1].item, PAR_ITEM_EXITED, 6);
    CHECK_EQUAL(outcomes[1].attempts, 3);
    CHECK_EQUAL(outcomes[2].attempts, 1);
    CHECK_EQUAL(report.done, 3);
    CHECK_EQUAL(report.failed, 1);
    par_outcomes_free(outcomes, 3);
    remove_folder(folder);
}

static void a_command_that_timed_out_is_tried_again(void)
{
    const char *folder = in_a_fresh_folder();
    par_options options = reporting();
    par_command command = shell("[ -e tried ] || { touch tried; sleep 1000; }");
    par_outcome outcome;
    options.item_timeout_ms = 1000;
    command.retries = 1;
    CHECK_EQUAL(par_run(&command, &outcome, 1, &options), PAR_OK);
    CHECK_EQUAL(outcome.attempts, 2);
    par_outcomes_free(&outcome, 1);
    remove_folder(folder);
}

const promise promises[] = {
    PROMISE(a_command_beyond_its_timeout_is_ended_with_its_group),
    PROMISE(a_command_that_ignores_term_is_killed_after_two_seconds),
    PROMISE(a_command_can_use_the_two_seconds_to_say_goodbye),
    PROMISE(others_of_the_group_have_the_two_seconds_too),
    PROMISE(what_has_died_and_is_not_reaped_is_not_waited_for),
    PROMISE(a_stopped_command_is_ended_too),
    PROMISE(the_deadline_of_the_call_ends_what_runs_and_starts_no_more),
    PROMISE(a_command_that_ended_in_time_has_not_timed_out_though_it_is_seen_late),
    PROMISE(the_cancel_flag_ends_what_runs),
    PROMISE(a_signal_handler_can_cancel),
    PROMISE(a_call_canceled_before_it_begins_starts_nothing),
    PROMISE(poll_sees_every_step_on_the_calling_thread),
    PROMISE(a_poll_that_says_no_ends_what_runs),
    PROMISE(the_first_failure_stops_new_commands_and_lets_the_others_end),
    PROMISE(with_keep_going_all_commands_run),
    PROMISE(what_a_command_leaves_behind_in_its_group_is_killed),
    PROMISE(a_grandchild_that_holds_the_pipes_cannot_hold_up_the_call),
    PROMISE(a_grandchild_that_writes_for_ever_cannot_hold_up_the_call),
    PROMISE(a_command_that_closes_its_output_and_goes_on_is_waited_for),
    PROMISE(a_command_is_tried_again_as_often_as_it_says),
    PROMISE(a_command_that_timed_out_is_tried_again),
    {NULL, NULL},
};
