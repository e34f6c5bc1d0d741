// These tests start processes: one at a time, never beside each other.
[assembly: NonParallelizable]
[assembly: LevelOfParallelism(1)]
