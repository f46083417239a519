/* The smallest program that shows an installed libparmap at work; says which version it found. */
#include <parmap.h>
#include <stdio.h>

static int square(const void *in, void *out, void *ctx) {
    (void)ctx;
    *(int *)out = *(const int *)in * *(const int *)in;
    return 0;
}

int main(void) {
    int in[100], out[100];
    for (int i = 0; i < 100; i++) in[i] = i;
    if (par_map(square, NULL, in, sizeof *in, out, sizeof *out, 100, NULL) != PAR_OK) return 1;
    for (int i = 0; i < 100; i++)
        if (out[i] != i * i) return 2;
    if (par_version() != PAR_VERSION) return 3;
    printf("parmap %s squared 100 numbers\n", PAR_VERSION_STRING);
    return 0;
}
