/* par_run in hosts of all kinds: odd signals, no standard files, many threads, forked children, some that die; and what it leaves behind. */
#define _GNU_SOURCE
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

static void on_usr2(int number) { (void)number; }

static void commands_get_default_signals_an_empty_mask_and_the_standard_files_alone(void)
{
    const char *grep[] = {"grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status", NULL};
    const char *ls[] = {"ls", "/proc/self/fd", NULL};
    sigset_t all;
    sigfillset(&all);
    signal(SIGINT, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR2, on_usr2);
    CHECK_EQUAL(pthread_sigmask(SIG_BLOCK, &all, NULL), 0);
    CHECK(open("/dev/null", O_RDONLY) >= 0 && open("/dev/null", O_RDONLY) >= 0);
    par_outcome signals = run_one(with_argv(grep), NULL), files = run_one(with_argv(ls), NULL);
    CHECK_BYTES(signals.out, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
    CHECK_BYTES(files.out, "0\n1\n2\n3\n"); /* the fourth is ls's own */
    par_outcomes_free(&signals, 1);
    par_outcomes_free(&files, 1);
    sigset_t now;
    CHECK_EQUAL(pthread_sigmask(SIG_BLOCK, NULL, &now), 0);
    CHECK(sigismember(&now, SIGTERM));
}

static void a_host_without_standard_files_can_run_commands(void)
{
    close(0);
    close(1);
    const char *cat[] = {"cat", NULL};
    par_command command = with_argv(cat);
    command.input = "through";
    command.input_len = 7;
    par_outcome outcome = run_one(command, NULL);
    CHECK_ITEM(outcome.item, PAR_ITEM_OK, 0);
    CHECK_BYTES(outcome.out, "through");
    par_outcomes_free(&outcome, 1);
}

static size_t descriptors(void)
{
    size_t count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void nothing_is_left_behind(void)
{
    par_command commands[20];
    par_outcome outcomes[20];
    const char *missing[] = {"/nowhere/at/all", NULL};
    par_options options = PAR_OPTIONS_INIT;
    options.flags = PAR_KEEP_GOING;
    for (int i = 0; i < 20; i++)
        commands[i] = i % 5 == 0 ? with_argv(missing) : shell("cat; head -c 1100000 /dev/zero; exit $(($$ % 2))");
    commands[1].input = "input";
    commands[1].input_len = 5;
    size_t before = descriptors();
    for (int k = 0; k < 5; k++) {
        CHECK_EQUAL(par_run(commands, outcomes, 20, &options), PAR_EITEM);
        par_outcomes_free(outcomes, 20);
    }
    CHECK_EQUAL(descriptors(), before);
    CHECK(waitpid(-1, NULL, 0) == -1 && errno == ECHILD);
}

static void *call_often(void *ctx)
{
    (void)ctx;
    for (int k = 0; k < 10; k++) {
        par_command commands[4] = {shell("echo 0"), shell("echo 1"), shell("echo 2"), shell("echo 3")};
        par_outcome outcomes[4];
        CHECK_EQUAL(par_run(commands, outcomes, 4, NULL), PAR_OK);
        for (int i = 0; i < 4; i++)
            CHECK_EQUAL(number(outcomes[i].out), i);
        par_outcomes_free(outcomes, 4);
    }
    return NULL;
}

static void many_threads_can_run_commands_at_once(void)
{
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
        CHECK_EQUAL(pthread_create(&threads[i], NULL, call_often, NULL), 0);
    for (int i = 0; i < 8; i++)
        CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
}

static void call_once(void)
{
    call_often(NULL);
}

static void a_forked_child_can_run_commands(void)
{
    call_once();
    in_a_child(call_once);
}

static void commands_die_with_their_host(void)
{
    const char *folder = in_a_fresh_folder();
    pid_t host = fork();
    CHECK(host >= 0);
    if (host == 0) {
        run_one(shell("echo $$ >pid.new; mv pid.new pid; exec sleep 1000"), NULL);
        _exit(1);
    }
    while (access("pid", R_OK) != 0)
        sleep_ms(1);
    FILE *file = fopen("pid", "r");
    long pid = 0;
    CHECK(file != NULL && fscanf(file, "%ld", &pid) == 1);
    fclose(file);
    CHECK(!is_gone(pid));
    kill(host, SIGKILL);
    waitpid(host, NULL, 0);
    check_gone_soon(pid);
    remove_folder(folder);
}

const promise promises[] = {
    PROMISE(commands_get_default_signals_an_empty_mask_and_the_standard_files_alone),
    PROMISE(a_host_without_standard_files_can_run_commands),
    PROMISE(nothing_is_left_behind),
    PROMISE(many_threads_can_run_commands_at_once),
    PROMISE(a_forked_child_can_run_commands),
    PROMISE(commands_die_with_their_host),
    {NULL, NULL},
};
