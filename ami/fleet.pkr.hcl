# Images that fleet's machines boot from: what user-data does on a stock image, done beforehand. `fleet ami build` runs this;
# README.md says how to run it by hand.
#
# This file serves every Packer. plugins.pkr.hcl and aws.pkr.hcl are for those since 1.7, which read the folder. 1.6.6 (Debian
# 12's) understands neither: it reads a folder of its own, with this file and packer-1.6/aws.pkr.hcl in it, and is told
# where `scripts` and `bake` are. Sources: amazon-ebs.fleet, googlecompute.fleet; -only=… chooses.
#
# Variables, as -var NAME=VALUE. Without a default: archives; for amazon-ebs region and ssh_from, for googlecompute project.
#   region         EC2's, for example us-east-1
#   ssh_from       who may reach the builder's port 22: your address, as 203.0.113.7/32
#   archives       folder with the agent's archives, as fleet.boot.baking.lay_archives makes it: the file `agent`
#                  (lines "cp312-x86_64 KEY SHA256", as /etc/fleet/agent has them), and each as SHA256.tar.gz
#   base           ubuntu-24.04 | ubuntu-22.04
#   variant        cpu | gpu
#   arch           x86_64 | aarch64
#   driver         of the variant gpu: NVIDIA's branch as gpu.sh takes it, for example 580-server; "" for cpu
#   instance_type  of the builder; "" = a small one of the architecture. It needs no GPU
#   source_image   what to begin with; "" = Ubuntu's newest, by owner and name
#   images         docker images to pull ahead, by digest: ["name[:tag]@sha256:…", …]
#   fleet_version  of the fleet that builds
#   recipe         the layout of images that this fleet understands: the tag fleet-image
#   image_name     of the image; "" = fleet-BASE-VARIANT-ARCH-TIME
#   made           when, as 2026-01-31T12:00:00Z; "" = now
#   manifest       file on this computer that Packer's manifest is written to: the image's id is in it
#   facts          file on this computer that the image's /etc/fleet-image.json is copied to
#   subnet_id, vpc_id   where the builder stands; "" = the default VPC
#   disk_gb        the root disk; 0 = 8 for cpu, 16 for gpu: pulled images want more
#   encrypted      false: an image that is encrypted by the account's own key cannot be shared. Nothing secret is in it, and
#                  fleet encrypts the disks of its machines at launch, whatever the image is
#   scripts, bake  the folders of userdata/ and of this file; "" = as they lie in the checkout
#   project, zone  Google's

variable "region" {
  type    = string
  default = ""
}
variable "ssh_from" {
  type    = string
  default = "255.255.255.255/32" # nobody
  validation {
    condition     = regex_replace(var.ssh_from, "/0$", "") == var.ssh_from
    error_message = "The builder is not opened to everybody: ssh_from is your own address, for example 203.0.113.7/32."
  }
}
variable "archives" {
  type = string
}
variable "base" {
  type    = string
  default = "ubuntu-24.04"
  validation {
    condition     = contains(["ubuntu-24.04", "ubuntu-22.04"], var.base)
    error_message = "The variable base is ubuntu-24.04 or ubuntu-22.04."
  }
}
variable "variant" {
  type    = string
  default = "cpu"
  validation {
    condition     = contains(["cpu", "gpu"], var.variant)
    error_message = "The variable variant is cpu or gpu."
  }
}
variable "arch" {
  type    = string
  default = "x86_64"
  validation {
    condition     = contains(["x86_64", "aarch64"], var.arch)
    error_message = "The variable arch is x86_64 or aarch64."
  }
}
variable "driver" {
  type    = string
  default = ""
}
variable "instance_type" {
  type    = string
  default = ""
}
variable "source_image" {
  type    = string
  default = ""
}
variable "images" {
  type    = list(string)
  default = []
  validation {
    condition     = length([for image in var.images : image if regex_replace(image, "@sha256:[0-9a-f]{64}$", "") == image]) == 0
    error_message = "Docker images are named by their digests: name[:tag]@sha256:…."
  }
}
variable "fleet_version" {
  type    = string
  default = "unknown"
}
variable "recipe" {
  type    = string
  default = "1"
}
variable "image_name" {
  type    = string
  default = ""
}
variable "made" {
  type    = string
  default = ""
}
variable "manifest" {
  type    = string
  default = "manifest.json"
}
variable "facts" {
  type    = string
  default = "fleet-image.json"
}
variable "subnet_id" {
  type    = string
  default = ""
}
variable "vpc_id" {
  type    = string
  default = ""
}
variable "disk_gb" {
  type    = number
  default = 0
}
variable "encrypted" {
  type    = bool
  default = false
}
variable "scripts" {
  type    = string
  default = ""
}
variable "bake" {
  type    = string
  default = ""
}
variable "project" {
  type    = string
  default = ""
}
variable "zone" {
  type    = string
  default = "us-central1-a"
}

locals {
  made    = var.made != "" ? var.made : formatdate("YYYY-MM-DD'T'hh:mm:ss'Z'", timestamp())
  name    = var.image_name != "" ? var.image_name : "fleet-${var.base}-${var.variant}-${var.arch}-${replace(local.made, ":", "-")}"
  driver  = var.variant == "gpu" ? var.driver : ""
  disk_gb = var.disk_gb != 0 ? var.disk_gb : (var.variant == "gpu" ? 16 : 8)
  word    = { x86_64 = "amd64", aarch64 = "arm64" }[var.arch]
  scripts = var.scripts != "" ? var.scripts : "${path.root}/../userdata"
  bake    = var.bake != "" ? var.bake : path.root

  # Never the tag `fleet`: whoever sweeps up what a fleet left would take the image's snapshots for strays.
  tags = {
    "Name"                = local.name
    "fleet-image"         = var.recipe
    "fleet-image-base"    = var.base
    "fleet-image-variant" = var.variant
    "fleet-image-driver"  = local.driver
    "fleet-image-arch"    = var.arch
    "fleet-image-version" = var.fleet_version
    "fleet-image-made"    = local.made
  }
  # Whose machine it is that is found running although nobody builds.
  builder_tags = {
    "Name"                = "fleet image builder"
    "fleet-image-builder" = var.recipe
  }

  # First of all, before network and services: a builder whose Packer was killed powers itself off, and EC2 terminates it.
  # 1.6.6 signs with SHA-1, which OpenSSH refuses since 8.8; cleaning takes the exception out again.
  builder = <<-END
    #cloud-config
    bootcmd:
      - systemd-run --unit=fleet-builder --no-block --timer-property=DefaultDependencies=no --property=DefaultDependencies=no --on-active=5400 systemctl poweroff --force
      - mkdir -p /etc/ssh/sshd_config.d
      - echo 'PubkeyAcceptedAlgorithms +ssh-rsa' >/etc/ssh/sshd_config.d/00-fleet-builder.conf
  END
}

# The machine is reached as Google's default network lets you: its firewall is not changed.
source "googlecompute" "fleet" {
  project_id              = var.project
  zone                    = var.zone
  source_image            = var.source_image
  source_image_family     = { "ubuntu-24.04" = "ubuntu-2404-lts-${local.word}", "ubuntu-22.04" = var.arch == "x86_64" ? "ubuntu-2204-lts" : "ubuntu-2204-lts-arm64" }[var.base]
  source_image_project_id = ["ubuntu-os-cloud"]
  machine_type            = var.instance_type != "" ? var.instance_type : { x86_64 = "e2-standard-2", aarch64 = "t2a-standard-2" }[var.arch]
  disk_size               = local.disk_gb + 2
  disk_type               = "pd-balanced"
  ssh_username            = "ubuntu"
  metadata                = { user-data = local.builder }
  labels                  = { fleet-image-builder = var.recipe }
  image_name              = regex_replace(lower(local.name), "[^a-z0-9-]", "-")
  image_family            = regex_replace("fleet-${var.base}-${var.variant}-${local.word}", "[^a-z0-9-]", "-")
  image_labels            = { for name, value in local.tags : lower(name) => regex_replace(lower(value), "[^a-z0-9_-]", "-") }
}

build {
  sources = ["source.amazon-ebs.fleet", "source.googlecompute.fleet"]

  # What cloud-init does on the builder comes first.
  provisioner "shell" {
    inline = [
      "cloud-init status --wait || [ $? = 2 ]",
      "mkdir -p /tmp/fleet-bake/userdata /tmp/fleet-bake/ami /tmp/fleet-bake/archives",
    ]
  }
  provisioner "file" {
    source      = "${local.scripts}/"
    destination = "/tmp/fleet-bake/userdata"
  }
  provisioner "file" {
    source      = "${local.bake}/"
    destination = "/tmp/fleet-bake/ami"
  }
  provisioner "file" {
    source      = "${var.archives}/"
    destination = "/tmp/fleet-bake/archives"
  }
  provisioner "shell" {
    environment_vars = [
      "BAKE_RECIPE=${var.recipe}",
      "BAKE_BASE=${var.base}",
      "BAKE_VARIANT=${var.variant}",
      "BAKE_DRIVER=${local.driver}",
      "BAKE_ARCH=${var.arch}",
      "BAKE_VERSION=${var.fleet_version}",
      "BAKE_MADE=${local.made}",
      "BAKE_IMAGES=${join(" ", var.images)}",
    ]
    execute_command = "sudo -n env {{ .Vars }} sh '{{ .Path }}'"
    inline          = ["sh /tmp/fleet-bake/ami/bake.sh /tmp/fleet-bake"]
  }
  provisioner "file" {
    direction   = "download"
    source      = "/etc/fleet-image.json"
    destination = var.facts
  }
  # Last: from now on nobody can log in any more.
  provisioner "shell" {
    execute_command = "sudo -n sh '{{ .Path }}'"
    skip_clean      = true
    inline          = ["sh /tmp/fleet-bake/ami/clean.sh"]
  }

  post-processor "manifest" {
    output     = var.manifest
    strip_path = true
    custom_data = {
      recipe  = var.recipe
      base    = var.base
      variant = var.variant
      driver  = local.driver
      arch    = var.arch
      version = var.fleet_version
      made    = local.made
    }
  }
}
