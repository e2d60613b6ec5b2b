"""Job systems at the same work, each by its own processes: what throughput and fairness are measured on."""
