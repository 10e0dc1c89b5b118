"""dispatcher: takes accepted messages to operators and brings back what operators say."""
