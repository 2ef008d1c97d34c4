# EC2's builder, for Packer since 1.7. What 1.6.6 checks is packer-1.6/aws.pkr.hcl; a test holds that nothing differs but the
# parts between the lines "since 1.7".

source "amazon-ebs" "fleet" {
  region        = var.region
  instance_type = var.instance_type != "" ? var.instance_type : { x86_64 = "c6i.large", aarch64 = "c6g.large" }[var.arch]
  source_ami    = var.source_image
  source_ami_filter {
    filters = {
      name                = { "ubuntu-24.04" = "ubuntu/images/hvm-ssd*/ubuntu-noble-24.04-${local.word}-server-*", "ubuntu-22.04" = "ubuntu/images/hvm-ssd*/ubuntu-jammy-22.04-${local.word}-server-*" }[var.base]
      architecture        = { x86_64 = "x86_64", aarch64 = "arm64" }[var.arch]
      virtualization-type = "hvm"
      root-device-type    = "ebs"
    }
    owners      = ["099720109477"] # Canonical
    most_recent = true
  }

  # A shutdown from inside ends the builder for good: the timer in its user-data leaves nothing behind.
  shutdown_behavior = "terminate"
  user_data         = local.builder
  run_tags          = local.builder_tags
  run_volume_tags   = local.builder_tags

  vpc_id                                = var.vpc_id
  subnet_id                             = var.subnet_id
  associate_public_ip_address           = true
  temporary_security_group_source_cidrs = [var.ssh_from]
  ssh_username                          = "ubuntu"
  ssh_timeout                           = "10m"

  # since 1.7
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }
  imds_support            = "v2.0" # of machines that are launched from the image
  temporary_key_pair_type = "ed25519"
  # /since 1.7

  ami_name        = local.name
  ami_description = "fleet ${var.fleet_version}: ${var.base} ${var.variant} ${var.arch}"
  encrypt_boot    = var.encrypted
  ena_support     = true
  tags            = merge(local.tags, { "fleet-image-source" = "{{ .SourceAMI }}" })
  snapshot_tags   = merge(local.tags, { "fleet-image-source" = "{{ .SourceAMI }}" })

  launch_block_device_mappings {
    device_name           = "/dev/sda1"
    volume_type           = "gp3"
    volume_size           = local.disk_gb
    iops                  = 3000
    throughput            = 125
    delete_on_termination = true
  }
}
