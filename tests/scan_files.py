"""Tiny DICOM and NIfTI files for the tests."""

from types import SimpleNamespace

import nibabel
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from data.scans.scan import Settings

SETTINGS = Settings('auto', 2, 50_000_000)
SECTION = dict(window='auto', axis=2, least_filled=0.05, most_slices=0, valid_groups=(),
               test_groups=())


def make_config(path, *, valid_frac=0.0, test_frac=0.0, max_pixels=1_000_000, **section):
  return SimpleNamespace(path=str(path), valid_frac=valid_frac, test_frac=test_frac,
                         max_pixels=max_pixels, scans=SimpleNamespace(**{**SECTION, **section}))


def make_values(height_px=6, width_px=5, seed=0, dtype=np.uint16, most=4000):
  return np.random.default_rng(seed).integers(0, most, (height_px, width_px)).astype(dtype)


def make_dataset(pixels, *, bits=None, photometric='MONOCHROME2', **elements):
  """A CT slice, or several of pixels [N, h, w]; elements: None takes one away."""
  dataset = Dataset()
  dataset.file_meta = FileMetaDataset()
  dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
  dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
  dataset.PatientID, dataset.Modality, dataset.ImageType = 'P1', 'CT', ['ORIGINAL', 'PRIMARY', 'X']
  dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
  dataset.set_pixel_data(pixels, photometric, bits or 8 * pixels.dtype.itemsize)
  for key, value in elements.items():
    if value is None:
      del dataset[key]
    else:
      setattr(dataset, key, value)
  return dataset


def write_dicom(path, pixels, **options):
  """Args: options: of `make_dataset`."""
  path.parent.mkdir(parents=True, exist_ok=True)
  make_dataset(pixels, **options).save_as(path, enforce_file_format=True)
  return path


def stored_pixels(path):
  return pydicom.dcmread(path).pixel_array


def write_nifti(path, voxels, affine=None, *, scale=None, kind=nibabel.Nifti1Image):
  """Args: scale: (slope, intercept) of the header; the voxels are written as they are."""
  path.parent.mkdir(parents=True, exist_ok=True)
  image = kind(voxels, np.eye(4) if affine is None else affine)
  if scale:
    image.header.set_slope_inter(*scale)
  nibabel.save(image, path)
  return path


def change_header(path, **fields):
  """Changes fields of a .nii as bytes."""
  content = path.read_bytes()
  header = nibabel.Nifti1Header(content[:348])
  for key, value in fields.items():
    header[key] = value
  path.write_bytes(header.binaryblock + content[348:])
