"""The rules of the trade, pure: text into parts, who may send and receive, what operators report."""
