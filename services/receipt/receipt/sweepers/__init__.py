"""What happens by itself as time passes: late reports find their message, deadlines pass, old messages go."""
