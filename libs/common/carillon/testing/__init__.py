"""What tests share: a bus in memory under the same contract as the real one, a clock to move, builders."""
