/* Maps 12 items of which the fifth takes all the memory there is, and prints the outcomes' states and the fifth's code. */
#include <parmap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int eat(const void *item, void *result, void *ctx)
{
    (void)ctx;
    *(int *)result = *(const int *)item;
    while (*(const int *)item == 5) {
        char *piece = malloc(1 << 20);
        if (piece)
            memset(piece, 1, 1 << 20);
    }
    return 0;
}

int main(void)
{
    int in[12], out[12];
    par_item items[12];
    par_options options = PAR_OPTIONS_INIT;
    options.executor = PAR_PROCESSES;
    options.flags = PAR_KEEP_GOING;
    options.workers = 3;
    options.items = items;
    for (int i = 0; i < 12; i++)
        in[i] = i;
    printf("%d:", par_map(eat, NULL, in, sizeof in[0], out, sizeof out[0], 12, &options));
    for (int i = 0; i < 12; i++)
        printf(" %u", items[i].state);
    printf(", code %d\n", (int)items[5].code);
    return 0;
}
