# Cross build for 64-bit Arm, tests run by qemu-user. Debian: dpkg --add-architecture arm64, then install
# g++-aarch64-linux-gnu qemu-user libfmt-dev:arm64 libsimdjson-dev:arm64 libzip-dev:arm64 libgtest-dev:arm64.
#   cmake -B build/arm64 -G Ninja --toolchain cmake/arm64.cmake -DLQ_WITH_TBB=OFF -DLQ_BUILD_CLI=OFF -DLQ_BUILD_BENCH=OFF
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(ENV{PKG_CONFIG_LIBDIR} /usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -cpu max -L /usr/aarch64-linux-gnu)  # max: with SVE2
