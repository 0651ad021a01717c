/* The one name that the kernel's shared library exports; stands below shares.c. */

__attribute__((visibility("default"))) kernel softmax_regression_kernel = {
    plan, workspace_bytes, softmax_regression};
