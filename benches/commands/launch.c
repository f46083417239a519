/* launch MEGABYTES INPUT PROGRAM ARGUMENTS...: starts a program that starts the others, such as xargs, from a host that holds that
 * much memory, its standard input from a file. Prints the seconds it took. */
#define _POSIX_C_SOURCE 200809L
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>

#include "hold.h"

extern char **environ;

int main(int argc, char **argv)
{
    posix_spawn_file_actions_t files;
    pid_t child;
    int status = 0;
    if (argc < 4 || !hold(argv[1]))
        return 2;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, argv[2], O_RDONLY, 0);
    double begin = seconds();
    if (posix_spawnp(&child, argv[3], &files, NULL, argv + 3, environ) != 0 || waitpid(child, &status, 0) != child)
        return 1;
    printf("%.6f\n", seconds() - begin);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
