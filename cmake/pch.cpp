// The source that the target of the precompiled header needs; see SluiceModule.cmake.
