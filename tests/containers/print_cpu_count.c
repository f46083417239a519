/* Prints par_cpu_count(). */
#include <parmap.h>
#include <stdio.h>

int main(void) {
    printf("%zu\n", par_cpu_count());
    return 0;
}
