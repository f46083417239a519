/* A mistake on purpose: results of par_map_bytes that nobody frees. Leak checkers must report them; were they silent here,
 * their silence about the library would mean nothing. */
#include <parmap.h>
#include <string.h>

static int make_a_byte(const void *in, size_t len, par_bytes *out, void *ctx) {
    (void)in, (void)len, (void)ctx;
    return par_bytes_resize(out, 1);
}

int main(void) {
    par_bytes in[8], out[8];
    memset(in, 0, sizeof in);
    memset(out, 0, sizeof out);
    int status = par_map_bytes(make_a_byte, NULL, in, out, 8, NULL);
    memset(out, 0, sizeof out);
    return status;
}
