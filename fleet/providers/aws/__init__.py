"""EC2: spot and on-demand machines with a persistent EBS volume. boto3 is imported where it is used."""
