// The owner of the precompiled headers: see CMakeLists.txt.
int main() { return 0; }
