"""What an instructor uses: checks, sandbox, diagnosis, results, certification."""
